// The link that `serve` prints has the token behind a #, which no server and no log sees.
const token = decodeURIComponent(location.hash.slice(1));
const form = document.getElementById("local");
if (token && form) {
  history.replaceState(null, "", location.pathname + location.search);
  form.elements.token.value = token;
  form.submit();
}
