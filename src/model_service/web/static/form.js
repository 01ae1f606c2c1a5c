// The answer without a reload, the search among many fields, and what-if.
// Without this script the form works by itself.
import { explore } from "./what-if.js";

const PAUSE = 150; // ms without a key until the answer is asked for
const form = document.getElementById("form");
const touched = new Set(); // the ids of fields that somebody typed in
const marked = new Set([...form.querySelectorAll("[aria-invalid], .wrong fieldset")].map((control) => control.id));
let last = null; // the place of the feature that was changed last
let asking = false;
let next = null; // what to ask when the request in flight is answered
let timer;

async function ask(explicit) {
  clearTimeout(timer);
  if (asking) {
    next = { explicit: explicit || (next?.explicit ?? false) };
    return;
  }
  asking = true;
  document.getElementById("verdict").classList.add("waiting");
  let found;
  try {
    found = await parts();
  } catch {
    found = said("The service did not answer. Try again.");
  }
  show(found, explicit);
  if (!next) await explore(last);
  asking = false;
  document.getElementById("verdict").classList.remove("waiting");
  if (next) {
    const { explicit: wanted } = next;
    next = null;
    ask(wanted);
  }
}

async function parts() {
  const body = new URLSearchParams(new FormData(form));
  const response = await fetch(document.getElementById("what-if").dataset.ask, { method: "POST", body });
  if (response.headers.get("Content-Type").includes("problem+json")) {
    const problem = await response.json();
    return said(`${problem.title}. ${problem.detail}`);
  }
  const template = document.createElement("template");
  template.innerHTML = await response.text();
  // The router in front of the service has pages of its own.
  if (!template.content.querySelector("#problems")) throw new Error(response.statusText);
  return template.content;
}

// What the server would send: one problem, and no answer.
function said(text) {
  const template = document.createElement("template");
  template.innerHTML = '<section id="problems"><div class="summary" role="alert" tabindex="-1"><h2>There is a problem</h2><p></p></div></section><section id="verdict"></section><section id="detail"></section>';
  template.content.querySelector("p").textContent = text;
  return template.content;
}

function show(parts, explicit) {
  const wrong = new Map([...parts.querySelectorAll("[data-field]")].map(({ dataset }) => [dataset.field, dataset.message]));
  const summary = parts.querySelector(".summary");
  // While somebody types, only the fields that were touched are called wrong.
  if (wrong.size && !explicit) {
    parts.querySelector("#problems").replaceChildren();
    const verdict = parts.querySelector("#verdict");
    if (document.querySelector("#verdict p")) {
      const waiting = document.createElement("p");
      waiting.textContent = `No answer: ${wrong.size === 1 ? "a field is" : `${wrong.size} fields are`} to mend.`;
      verdict.append(waiting);
    }
  }
  for (const part of parts.querySelectorAll("section")) {
    const place = document.getElementById(part.id);
    place.replaceChildren(...part.childNodes);
    delete place.dataset.row;
    Object.assign(place.dataset, part.dataset);
  }
  for (const id of new Set([...marked, ...wrong.keys()])) {
    mark(id, explicit || touched.has(id) ? wrong.get(id) : undefined);
  }
  if (summary && explicit) document.querySelector("#problems .summary").focus();
}

function mark(id, message) {
  const control = document.getElementById(id);
  const errorId = `${id}-error`;
  let error = document.getElementById(errorId);
  const about = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((name) => name && name !== errorId);
  if (message) {
    if (!error) {
      error = document.createElement("span");
      error.id = errorId;
      error.className = "error";
      const first = control.querySelector(".choice") ?? control.closest("label") ?? control;
      first.before(error);
    }
    error.textContent = message;
    about.push(errorId);
    marked.add(id);
    const group = control.closest("details");
    if (group) group.open = true;
  } else {
    error?.remove();
    marked.delete(id);
  }
  wrapper(control).classList.toggle("wrong", Boolean(message));
  for (const [name, value] of [["aria-invalid", message && "true"], ["aria-describedby", about.join(" ")]]) {
    if (value) control.setAttribute(name, value);
    else control.removeAttribute(name);
  }
}

// The field around a control; of a wide model it is the label.
function wrapper(control) {
  return control.closest(".field, label");
}

form.addEventListener("input", (event) => {
  if (event.target.id === "find") return;
  const { id } = event.target.closest("[id^=f]");
  touched.add(id);
  last = Number(id.slice(1)) - 1;
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE, false);
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask(true);
});

document.getElementById("along").addEventListener("change", () => {
  last = null;
  ask(false);
});

const find = document.getElementById("find");
if (find) {
  document.getElementById("search").hidden = false;
  // The page says as little as it can of a thousand fields.
  for (const input of form.querySelectorAll(".group > label > input")) input.inputMode = "decimal";
  const count = document.getElementById("find-hint");
  const fields = [...form.querySelectorAll(".group > :is(label, .field)")].map((element) => ({
    element,
    name: element.querySelector("[name]").name.toLowerCase(),
  }));
  find.addEventListener("input", () => {
    const wanted = find.value.trim().toLowerCase();
    const found = fields.filter(({ element, name }) => {
      element.hidden = !name.includes(wanted);
      return !element.hidden;
    });
    for (const group of form.querySelectorAll(".group")) {
      const any = group.querySelector(":scope > :is(label, .field):not([hidden])") !== null;
      group.hidden = !any;
      if (wanted && any) group.open = true;
    }
    count.textContent = wanted ? `${found.length} of ${fields.length} features.` : `There are ${fields.length}. Type a part of a name.`;
  });
  // Enter looks for a name; it must not send the form.
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
}

// With defaults or an example in all fields there is an answer from the start. What is wrong with a
// pasted row stays until somebody mends it.
if (!document.querySelector("#problems .summary") && [...new FormData(form).values()].some(Boolean)) ask(false);
