// Reads CSV (RFC 4180) piece by piece, as it arrives; calls back with the cells of each record.

export class CsvReader {
  #onRecord;
  #delimiter = null;
  #head = ""; // until the first line is whole
  #cells = [];
  #cell = "";
  #quoted = false;
  #closing = false; // a quote inside quotes: it ends them, or is the first of two

  constructor(onRecord) {
    this.#onRecord = onRecord;
  }

  feed(text) {
    if (this.#delimiter === null) {
      this.#head += text;
      if (!this.#head.includes("\n")) return;
      this.#delimiter = delimiterOf(this.#head);
      text = this.#head;
    }
    for (const character of text) this.#read(character);
  }

  end() {
    if (this.#cell || this.#cells.length) this.#endRecord();
  }

  #read(character) {
    if (this.#closing) {
      this.#closing = false;
      if (character === '"') {
        this.#cell += character;
        return;
      }
      this.#quoted = false;
    }
    if (this.#quoted) {
      if (character === '"') this.#closing = true;
      else this.#cell += character;
    } else if (character === '"') {
      this.#quoted = true;
    } else if (character === this.#delimiter) {
      this.#cells.push(this.#cell);
      this.#cell = "";
    } else if (character === "\n") {
      this.#endRecord();
    } else if (character !== "\r") {
      this.#cell += character;
    }
  }

  #endRecord() {
    this.#cells.push(this.#cell);
    this.#onRecord(this.#cells);
    this.#cells = [];
    this.#cell = "";
  }
}

// The service answers with the delimiter of the request; before "prediction" it stands for sure.
function delimiterOf(head) {
  return head.match(/([,;\t|])"?prediction/)?.[1] ?? ",";
}
