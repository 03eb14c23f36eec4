// htmx without what the content security policy forbids: attributes that hold script
// are refused here, before the browser has to. What else it is told stands in a meta
// element of each page.
import htmx from "htmx.org";

function refused() {
  throw new Error("an attribute holds script (expected none: the policy forbids it)");
}

htmx.registerExtension("no-script", {
  init: (inside) => inside.initSecurity(null, refused, refused),
  htmx_before_on_init: () => false,
});
window.htmx = htmx;
export default htmx;
