// A CSV is sent and comes back as a stream: progress, the first rows, a summary, the download.
import { CsvReader } from "./csv.js";
import { bars, histogram } from "./plot.js";

const PREVIEW = 5;
const MOST_SHOWN = 100; // problems on the page
const MOST_CLASSES = 20;
const form = document.getElementById("upload");
const place = document.getElementById("batch-result");
const count = new Intl.NumberFormat("en");

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const file = document.getElementById("file").files[0];
  if (!file) return;
  if (file.size > Number(form.dataset.most)) {
    // The service would hang up while the file is still being sent.
    place.replaceChildren(element("p", "The file is too large; send it in parts.", "error"));
    return;
  }
  const button = form.querySelector("button");
  button.disabled = true;
  const stop = new AbortController();
  const progress = working(stop);
  try {
    await predict(file, new FormData(form).get("on_error"), progress, stop.signal);
  } catch {
    const cut = progress.bar.hasAttribute("max")
      ? `The answer broke off after ${count.format(progress.bar.value)} rows. If the model fails on some, “predict the others” says on which.`
      : "The service did not answer. Try again.";
    place.replaceChildren(element("p", stop.signal.aborted ? "Stopped." : cut, "error"));
  } finally {
    button.disabled = false;
  }
});

function working(stop) {
  const said = element("p", "Sending the file; all rows are checked first …");
  const bar = element("progress");
  bar.setAttribute("aria-label", "Rows predicted");
  const button = element("button", "Stop", "second");
  button.type = "button";
  button.addEventListener("click", () => stop.abort());
  place.replaceChildren(said, bar, button);
  return { said, bar };
}

async function predict(file, onError, progress, signal) {
  const rows = await lines(file);
  const response = await fetch(`${form.dataset.predict}?on_error=${onError}`, {
    method: "POST",
    headers: { "Content-Type": "text/csv", Accept: "text/csv, application/problem+json" },
    body: file,
    signal,
  });
  if (!response.ok) {
    refused(await response.json());
    return;
  }
  const summary = new Summary();
  const reader = new CsvReader((cells) => summary.add(cells));
  const decoder = new TextDecoder("utf-8", { ignoreBOM: false });
  const chunks = [];
  progress.bar.max = Math.max(rows, 1);
  for await (const chunk of stream(response.body)) {
    chunks.push(chunk);
    reader.feed(decoder.decode(chunk, { stream: true }));
    progress.bar.value = Math.min(summary.rows, rows);
    progress.said.textContent = `${count.format(summary.rows)} of about ${count.format(rows)} rows`;
  }
  reader.end();
  summary.show(download(chunks, file.name));
}

// The number of data rows; line breaks in quotes make it a little too large.
async function lines(file) {
  let found = 0;
  let last = 10;
  for await (const chunk of stream(file.stream())) {
    for (const byte of chunk) found += byte === 10;
    last = chunk.at(-1);
  }
  return found + (last !== 10) - 1;
}

async function* stream(body) {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

function download(chunks, name) {
  const link = element("a", "Download the predictions");
  link.href = URL.createObjectURL(new Blob(chunks, { type: "text/csv" }));
  link.download = `${name.replace(/\.[^.]*$/, "")}-predictions.csv`;
  return link;
}

function refused(problem) {
  const errors = problem.errors ?? [];
  const box = element("div", undefined, "summary");
  box.append(element("h3", `${problem.title}: ${problem.detail}`));
  const list = element("ul");
  for (const error of errors.slice(0, MOST_SHOWN)) {
    const where = error.line ? `Line ${error.line}: ` : "";
    list.append(element("li", `${where}${error.feature ?? ""} ${error.message}`));
  }
  if (errors.length > MOST_SHOWN) list.append(element("li", `and ${count.format(errors.length - MOST_SHOWN)} more`));
  box.append(list);
  place.replaceChildren(box);
}

// The first rows, and how often each class or value occurs.
class Summary {
  rows = 0;
  wrong = 0;
  first = [];
  classes = new Map();
  numbers = [];

  add(cells) {
    if (!this.header) {
      this.header = cells;
      // The answer's own columns are the last: one of the input may be called so, too.
      const { prediction } = form.dataset;
      this.own = Math.max(cells.lastIndexOf(prediction), cells.lastIndexOf(`${prediction}_`));
      this.column = cells[this.own + 1] === "label" ? this.own + 1 : this.own;
      this.error = cells.at(-1).startsWith("error") ? cells.length - 1 : -1;
      return;
    }
    this.rows += 1;
    if (this.first.length < PREVIEW) this.first.push(cells);
    if (this.error >= 0 && cells[this.error]) {
      this.wrong += 1;
      return;
    }
    const value = cells[this.column];
    if (form.dataset.task === "regression") {
      if (value) this.numbers.push(Number(value)); // an answer may have no number
    } else this.classes.set(value, (this.classes.get(value) ?? 0) + 1);
  }

  show(link) {
    const title = element("h3", `${count.format(this.rows)} rows`);
    const parts = [title];
    if (this.wrong) parts.push(element("p", `${count.format(this.wrong)} of them do not fit; the column “${this.header[this.error]}” says why.`, "error"));
    const paragraph = element("p");
    paragraph.append(link);
    parts.push(paragraph);
    const name = this.header[this.column];
    if (this.numbers.length) parts.push(histogram(this.numbers, place.clientWidth, name));
    if (this.classes.size) {
      const most = [...this.classes].sort((a, b) => b[1] - a[1]).slice(0, MOST_CLASSES);
      const shares = most.map(([, rows]) => rows / (this.rows - this.wrong));
      parts.push(bars({ name, along: name, xs: most.map(([value, rows]) => `${value} (${count.format(rows)})`), ys: shares, shares: true }));
      if (this.classes.size > MOST_CLASSES) parts.push(element("p", `and ${count.format(this.classes.size - MOST_CLASSES)} more`, "hint"));
    }
    parts.push(this.table());
    place.replaceChildren(...parts);
  }

  table() {
    const table = element("table");
    table.append(element("caption", this.rows > this.first.length ? `The first ${this.first.length} rows` : "All rows"));
    // On a phone only the first columns are in sight: those of the answer.
    const answerFirst = (cells) => [...cells.slice(this.own), ...cells.slice(0, this.own)];
    const head = table.createTHead().insertRow();
    for (const name of answerFirst(this.header)) {
      const cell = element("th", name);
      cell.scope = "col";
      head.append(cell);
    }
    const body = table.createTBody();
    for (const cells of this.first) {
      const row = body.insertRow();
      for (const text of answerFirst(cells)) row.insertCell().textContent = text;
    }
    const scroll = element("div", undefined, "scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "group");
    scroll.setAttribute("aria-label", "The first rows");
    scroll.append(table);
    return scroll;
  }
}
