// A file that is chosen is read into the form; it is sent only with the form.
for (const input of document.querySelectorAll("input[data-into]")) {
  const field = document.getElementById(input.dataset.into);
  input.addEventListener("change", async () => {
    if (input.files.length) field.value = await input.files[0].text();
  });
}
