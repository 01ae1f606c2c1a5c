// Updates the prediction without a reload, searches among many fields, and starts what-if.
// The form also works without this script.

const DELAY = 150; // ms after the last input
const form = document.getElementById("form");
const touchedIds = new Set(); // of fields that the user has changed
const invalidIds = new Set([...form.querySelectorAll("[aria-invalid], .wrong fieldset")].map((control) => control.id));
const unusualIds = new Set([...form.querySelectorAll(".warning[id]")].map(({ id }) => id.slice(0, -"-warning".length)));
let lastChanged = null; // the index of the feature that was changed last
let isWaiting = false;
let queued = null; // the next request, sent after the response to the current one
let timer;

// `isSubmit`: the user pressed the button, so the problems of all fields are shown.
async function predict(isSubmit) {
  clearTimeout(timer);
  if (isWaiting) {
    queued = { isSubmit: isSubmit || (queued?.isSubmit ?? false) };
    return;
  }
  isWaiting = true;
  document.getElementById("verdict").classList.add("waiting");
  let parts;
  try {
    parts = await fetchParts();
  } catch {
    parts = problemParts("The service did not answer. Try again.");
  }
  showParts(parts, isSubmit);
  if (!queued) await whatIf(lastChanged);
  if (isSubmit) bringAnswerIntoView();
  isWaiting = false;
  document.getElementById("verdict").classList.remove("waiting");
  if (queued) {
    const next = queued;
    queued = null;
    predict(next.isSubmit);
  }
}

// Loaded with the first answer: before that the page is smaller without it.
async function whatIf(changed) {
  if (document.querySelector("#detail[data-row]") || !document.getElementById("what-if").hidden) {
    const { explore } = await import("./what-if.js");
    await explore(changed);
  }
}

// Beside a short form the answer can be above the window when the button is pressed.
function bringAnswerIntoView() {
  const { top, bottom, height } = document.getElementById("verdict").getBoundingClientRect();
  if (height && (top < 0 || bottom > window.innerHeight)) window.scrollBy({ top: top - 16 });
}

// Returns the sections of parts.html that replace those of the page.
async function fetchParts() {
  const body = new URLSearchParams(new FormData(form));
  const response = await fetch(document.getElementById("what-if").dataset.form, { method: "POST", body });
  if (response.headers.get("Content-Type").includes("problem+json")) {
    const problem = await response.json();
    return problemParts(`${problem.title}. ${problem.detail}`);
  }
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  // The platform's router answers with pages of its own.
  if (!template.content.querySelector("#problems")) throw new Error(response.statusText);
  return template.content;
}

// Returns what the server would send for one problem.
function problemParts(text) {
  const template = document.createElement("template");
  template.innerHTML = '<section id="problems"><div class="summary" role="alert" tabindex="-1"><h2>There is a problem</h2><p></p></div></section><section id="verdict"></section><section id="detail"></section>';
  template.content.querySelector("p").textContent = text;
  return template.content;
}

function showParts(parts, isSubmit) {
  const errors = new Map([...parts.querySelectorAll("[data-field]")].map(({ dataset }) => [dataset.field, dataset.message]));
  const warnings = new Map([...parts.querySelectorAll("[data-unusual]")].map(({ dataset }) => [dataset.unusual, dataset.message]));
  const summary = parts.querySelector(".summary");
  // While the user types, only fields that were changed are marked as invalid.
  if (errors.size && !isSubmit) {
    parts.querySelector("#problems").replaceChildren();
    const verdict = parts.querySelector("#verdict");
    if (document.querySelector("#verdict p")) {
      const message = document.createElement("p");
      message.textContent = `No answer: ${errors.size === 1 ? "a field is" : `${errors.size} fields are`} invalid.`;
      verdict.append(message);
    }
  }
  const why = parts.querySelector(".why");
  if (why && document.querySelector(".why[open]")) why.open = true;
  for (const part of parts.querySelectorAll("section")) {
    const section = document.getElementById(part.id);
    section.replaceChildren(...part.childNodes);
    delete section.dataset.row;
    Object.assign(section.dataset, part.dataset);
  }
  for (const id of new Set([...invalidIds, ...errors.keys()])) {
    setError(id, isSubmit || touchedIds.has(id) ? errors.get(id) : undefined);
  }
  for (const id of new Set([...unusualIds, ...warnings.keys()])) setMessage(id, "warning", unusualIds, warnings.get(id));
  if (summary && isSubmit) document.querySelector("#problems .summary").focus();
}

// Shows the error message of a field, or removes it if there is no message.
function setError(id, message) {
  const control = document.getElementById(id);
  setMessage(id, "error", invalidIds, message);
  const group = control.closest("details");
  if (message && group) group.open = true;
  wrapper(control).classList.toggle("wrong", Boolean(message));
  if (message) control.setAttribute("aria-invalid", "true");
  else control.removeAttribute("aria-invalid");
}

// Shows a field's message of a kind, or removes it if there is no message. `ids` are the fields that
// have one.
function setMessage(id, kind, ids, message) {
  const control = document.getElementById(id);
  const messageId = `${id}-${kind}`;
  let element = document.getElementById(messageId);
  const descriptions = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((name) => name && name !== messageId);
  if (message) {
    if (!element) {
      element = document.createElement("span");
      element.id = messageId;
      element.className = kind;
      const first = control.querySelector(".choice") ?? control.closest("label") ?? control;
      first.before(element);
    }
    element.textContent = message;
    descriptions.push(messageId);
    ids.add(id);
  } else {
    element?.remove();
    ids.delete(id);
  }
  if (descriptions.length) control.setAttribute("aria-describedby", descriptions.join(" "));
  else control.removeAttribute("aria-describedby");
}

// Returns the element around a control; in a form with many fields it is the label.
function wrapper(control) {
  return control.closest(".field, label");
}

form.addEventListener("input", (event) => {
  if (event.target.id === "find") return;
  const id = event.target.closest("[id^=f]").id.replace("-other", "");
  touchedIds.add(id);
  lastChanged = Number(id.slice(1)) - 1;
  clearTimeout(timer);
  timer = setTimeout(predict, DELAY, false);
});

form.addEventListener("submit", (event) => {
  if (event.submitter?.hasAttribute("formaction")) return; // "Why?" of a slow model brings a new page
  event.preventDefault();
  predict(true);
});

const find = document.getElementById("find");
if (find) {
  document.getElementById("search").hidden = false;
  // Not in the HTML, which is kept short for a thousand fields.
  for (const input of form.querySelectorAll(".fields > label > input")) input.inputMode = "decimal";
  const hint = document.getElementById("find-hint");
  const fields = [...form.querySelectorAll(".group .fields > *")].map((element) => ({
    element,
    name: `${element.querySelector("[name]").name}\n${element.textContent}`.toLowerCase(),
  }));
  find.addEventListener("input", () => {
    const query = find.value.trim().toLowerCase();
    const matches = fields.filter(({ element, name }) => {
      element.hidden = !name.includes(query);
      return !element.hidden;
    });
    for (const group of form.querySelectorAll(".group")) {
      const hasField = group.querySelector(".fields > :not([hidden])") !== null;
      group.hidden = !hasField;
      if (query && hasField) group.open = true;
    }
    hint.textContent = query ? `${matches.length} of ${fields.length} features.` : `There are ${fields.length}. Type part of a name.`;
  });
  // Enter in the search field must not submit the form.
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
}

// Choices with another one: without this script there is a text field beside them, with it the field
// appears when it is needed.
for (const other of form.querySelectorAll(".other")) {
  const input = other.querySelector("input");
  const field = document.getElementById(input.id.replace("-other", ""));
  const choose = field.matches("select") ? addOption(field) : addRadio(field, input.name);
  const show = (isOther) => {
    other.hidden = !isOther;
    if (!isOther) input.value = "";
  };
  show(input.value !== "");
  if (input.value) choose();
  field.addEventListener("change", (event) => {
    if (event.target === input) return;
    const isOther = (event.target.selectedOptions?.[0] ?? event.target).dataset.other !== undefined;
    show(isOther);
    if (isOther) input.focus();
  });
}

// Both return a function that selects what they add.
function addOption(select) {
  const option = new Option("other …", "");
  option.dataset.other = "";
  select.append(option);
  return () => (option.selected = true);
}

function addRadio(fieldset, name) {
  const label = document.createElement("label");
  const radio = document.createElement("input");
  label.className = "choice";
  Object.assign(radio, { type: "radio", name, value: "" });
  radio.dataset.other = "";
  label.append(radio, " other …");
  fieldset.querySelector(".other").before(label);
  return () => (radio.checked = true);
}

// An answer that is on the page already belongs to an example, or to values that were sent.
if (document.querySelector("#detail[data-row]")) whatIf(null);
else if (!document.querySelector("#problems .summary") && new URLSearchParams(location.search).has("example")) predict(false);
