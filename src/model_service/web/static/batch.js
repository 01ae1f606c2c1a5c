// Uploads a CSV to /predict and reads the response as a stream: shows the progress, a summary, the
// first rows and a download link.
import { CsvReader } from "./csv.js";

const PREVIEW_ROWS = 5;
const MAX_PROBLEMS = 100;
const MAX_CLASSES = 20;
// A longer file is offered to be scored in the background, where the service has jobs.
const MAX_FOREGROUND_ROWS = 20_000;
const LONG_FRACTION = /^-?\d+\.\d{4,}(e[+-]\d+)?$/;
const form = document.getElementById("upload");
const output = document.getElementById("batch-result");
const labels = JSON.parse(form.dataset.labels); // of the classes
const numberFormat = new Intl.NumberFormat("en");

function element(name, text, className) {
  const created = document.createElement(name);
  if (text !== undefined) created.textContent = text;
  if (className) created.className = className;
  return created;
}

// A file can be dropped anywhere on the section.
const section = document.getElementById("batch");
const fileInput = document.getElementById("file");
for (const [type, isOver] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  section.addEventListener(type, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // or the browser shows the file in place of the page
    section.classList.toggle("over", isOver);
  });
}
section.addEventListener("drop", (event) => {
  if (!event.dataTransfer?.files.length) return;
  fileInput.files = event.dataTransfer.files;
  form.requestSubmit();
});
document.getElementById("drop").hidden = false;

// Without JavaScript it is always there.
const background = document.getElementById("background");
if (background) background.hidden = true;
fileInput.addEventListener("change", async () => {
  const file = fileInput.files[0];
  if (background) background.hidden = true;
  if (file && (isTooLarge(file) || (await countRows(file)) > MAX_FOREGROUND_ROWS)) offerBackground(file);
});

function isTooLarge(file) {
  return file.size > Number(form.dataset.maxBytes);
}

function offerBackground(file) {
  if (!background || file.size > Number(background.dataset.maxBytes)) return false;
  background.hidden = false;
  return true;
}

form.addEventListener("submit", async (event) => {
  if (event.submitter?.hasAttribute("formaction")) return; // the form itself is sent
  event.preventDefault();
  const file = fileInput.files[0];
  if (!file) return;
  if (isTooLarge(file)) {
    // The service would close the connection during the upload.
    const advice = offerBackground(file) ? "score it in the background" : "send it in parts";
    output.replaceChildren(element("p", `The file is too large; ${advice}.`, "error"));
    return;
  }
  const button = form.querySelector("button");
  button.disabled = true;
  const abort = new AbortController();
  const progress = showProgress(abort);
  try {
    await predict(file, new FormData(form).get("on_error"), progress, abort.signal);
  } catch {
    const message = progress.bar.hasAttribute("max")
      ? `The response ended after ${numberFormat.format(progress.bar.value)} rows. If the model fails on some rows, “predict the others” names them.`
      : "The service did not answer. Try again.";
    output.replaceChildren(element("p", abort.signal.aborted ? "Stopped." : message, "error"));
  } finally {
    button.disabled = false;
  }
});

function showProgress(abort) {
  const status = element("p", "Sending the file; all rows are checked first …");
  const bar = element("progress");
  bar.setAttribute("aria-label", "Rows predicted");
  const button = element("button", "Stop", "second");
  button.type = "button";
  button.addEventListener("click", () => abort.abort());
  output.replaceChildren(status, bar, button);
  return { status, bar };
}

async function predict(file, onError, progress, signal) {
  const rowCount = await countRows(file);
  if (rowCount > MAX_FOREGROUND_ROWS) offerBackground(file);
  const response = await fetch(`${form.dataset.predict}?on_error=${onError}`, {
    method: "POST",
    headers: { "Content-Type": "text/csv", Accept: "text/csv, application/problem+json" },
    body: file,
    signal,
  });
  if (!response.ok) {
    if (response.status === 413) offerBackground(file);
    const problem = await response.json();
    // The reason is for the owner: the log has it.
    showProblem(response.status < 500 ? problem : { detail: "The service cannot answer now. Try again in a minute." }, file.name);
    return;
  }
  const summary = new Summary();
  const reader = new CsvReader((cells) => summary.add(cells));
  const decoder = new TextDecoder("utf-8", { ignoreBOM: false });
  const chunks = [];
  progress.bar.max = Math.max(rowCount, 1);
  for await (const chunk of chunksOf(response.body)) {
    chunks.push(chunk);
    reader.feed(decoder.decode(chunk, { stream: true }));
    progress.bar.value = Math.min(summary.rowCount, rowCount);
    progress.status.textContent = `${numberFormat.format(summary.rowCount)} of about ${numberFormat.format(rowCount)} rows`;
  }
  reader.end();
  summary.show(downloadLink(chunks, file.name), await import("./plot.js"));
}

// Counts the lines after the header, also those inside of quoted cells: the result is approximate.
async function countRows(file) {
  const LINE_FEED = 10;
  let count = 0;
  let lastByte = LINE_FEED;
  for await (const chunk of chunksOf(file.stream())) {
    for (const byte of chunk) count += byte === LINE_FEED;
    lastByte = chunk.at(-1);
  }
  return count + (lastByte !== LINE_FEED) - 1;
}

async function* chunksOf(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

function downloadLink(chunks, name) {
  const link = element("a", "Download the predictions");
  link.href = URL.createObjectURL(new Blob(chunks, { type: "text/csv" }));
  link.download = `${name.replace(/\.[^.]*$/, "")}-predictions.csv`;
  return link;
}

function showProblem(problem, fileName) {
  const errors = problem.errors ?? [];
  const box = element("div", undefined, "summary");
  box.tabIndex = -1;
  box.append(element("h3", `${fileName}: ${problem.detail || problem.title}`));
  const list = element("ul");
  for (const error of errors.slice(0, MAX_PROBLEMS)) {
    const line = error.line ? `Line ${error.line}: ` : "";
    list.append(element("li", `${line}${error.feature ?? ""} ${error.message}`));
  }
  if (errors.length > MAX_PROBLEMS) list.append(element("li", `and ${numberFormat.format(errors.length - MAX_PROBLEMS)} more`));
  box.append(list);
  output.replaceChildren(box);
  box.scrollIntoView({ block: "center" });
  box.focus({ preventScroll: true });
}

// Returns the name of a column for people: probability_0 is "probability of No".
function columnTitle(name) {
  const key = name.startsWith("probability_") ? name.slice("probability_".length) : null;
  return key !== null && key in labels ? `probability of ${labels[key]}` : name;
}

// Collects the first rows and how often each class or value occurs.
class Summary {
  rowCount = 0;
  errorCount = 0;
  firstRows = [];
  classCounts = new Map();
  numbers = [];

  add(cells) {
    if (!this.header) {
      this.header = cells;
      // The last index: a column of the input can have the same name.
      const { prediction } = form.dataset;
      this.predictionColumn = Math.max(cells.lastIndexOf(prediction), cells.lastIndexOf(`${prediction}_`));
      const next = this.predictionColumn + 1;
      this.valueColumn = cells[next] === "label" ? next : this.predictionColumn;
      this.errorColumn = cells.at(-1).startsWith("error") ? cells.length - 1 : -1;
      return;
    }
    this.rowCount += 1;
    if (this.firstRows.length < PREVIEW_ROWS) this.firstRows.push(cells);
    if (this.errorColumn >= 0 && cells[this.errorColumn]) {
      this.errorCount += 1;
      return;
    }
    const value = cells[this.valueColumn];
    if (form.dataset.task === "regression") {
      if (value) this.numbers.push(Number(value)); // a prediction can be null
    } else this.classCounts.set(value, (this.classCounts.get(value) ?? 0) + 1);
  }

  show(link, { barChart, histogram, formatValue }) {
    const title = element("h3", `${numberFormat.format(this.rowCount)} rows`);
    const parts = [title];
    if (this.errorCount) parts.push(element("p", `${numberFormat.format(this.errorCount)} of them do not fit; the column “${this.header[this.errorColumn]}” says why.`, "error"));
    const paragraph = element("p");
    paragraph.append(link);
    parts.push(paragraph);
    const name = form.dataset.name;
    if (this.numbers.length) parts.push(histogram(this.numbers, output.clientWidth, name));
    if (this.classCounts.size) {
      const frequent = [...this.classCounts].sort((a, b) => b[1] - a[1]).slice(0, MAX_CLASSES);
      const shares = frequent.map(([, count]) => count / (this.rowCount - this.errorCount));
      parts.push(barChart({ name, feature: name, xs: frequent.map(([value, count]) => `${value} (${numberFormat.format(count)})`), ys: shares, isProbability: true }));
      if (this.classCounts.size > MAX_CLASSES) parts.push(element("p", `and ${numberFormat.format(this.classCounts.size - MAX_CLASSES)} more`, "hint"));
    }
    parts.push(this.table(formatValue));
    output.replaceChildren(...parts);
  }

  table(formatValue) {
    const table = element("table");
    table.append(element("caption", this.rowCount > this.firstRows.length ? `The first ${this.firstRows.length} rows` : "All rows"));
    // The prediction first: a phone shows only the first columns.
    const predictionFirst = (cells) => [...cells.slice(this.predictionColumn), ...cells.slice(0, this.predictionColumn)];
    const head = table.createTHead().insertRow();
    for (const name of predictionFirst(this.header)) {
      const cell = element("th", columnTitle(name));
      cell.scope = "col";
      head.append(cell);
    }
    const body = table.createTBody();
    for (const cells of this.firstRows) {
      const row = body.insertRow();
      // The file has all digits.
      const predicted = cells.length - this.predictionColumn;
      for (const [index, text] of predictionFirst(cells).entries()) row.insertCell().textContent = index < predicted && LONG_FRACTION.test(text) ? formatValue(Number(text)) : text;
    }
    const scroll = element("div", undefined, "scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "group");
    scroll.setAttribute("aria-label", "The first rows");
    scroll.append(table);
    return scroll;
  }
}
