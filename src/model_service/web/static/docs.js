// Copy buttons for the requests, and Swagger UI for the routes.
const clipboard = navigator.clipboard; // undefined unless the page has TLS or is on localhost
for (const code of clipboard ? document.querySelectorAll(".request code") : []) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "second copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  });
  code.parentElement.before(button);
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const followScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followScheme);
followScheme();

const viewer = document.getElementById("viewer");
// Swagger UI has fields without an accessible name, and boxes that cannot be scrolled by keyboard.
new MutationObserver(() => {
  for (const field of viewer.querySelectorAll(":is(select, textarea):not([aria-label])")) {
    const parameter = field.closest("[data-param-name]")?.dataset.paramName;
    field.ariaLabel = parameter ?? (field.matches("select") ? "Example" : "Request body");
  }
  for (const box of viewer.querySelectorAll("pre")) box.tabIndex = 0;
}).observe(viewer, { childList: true, subtree: true });
const response = await fetch(viewer.dataset.document);
const spec = await response.json();
// The page's cookie authenticates the requests, so Swagger UI does not ask for a key.
for (const operation of Object.values(spec.paths).flatMap(Object.values)) delete operation.security;
SwaggerUIBundle({
  spec,
  domNode: viewer,
  layout: "operations", // without a title and a <main>, which the page has
  tryItOutEnabled: true,
  syntaxHighlight: false, // its colours have too little contrast
});
