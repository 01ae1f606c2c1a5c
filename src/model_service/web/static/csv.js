// An incremental CSV parser (RFC 4180) that calls `onRecord` with the cells of each record.

export class CsvReader {
  #onRecord;
  #delimiter = null;
  #head = ""; // the text until the first line is complete
  #cells = [];
  #cell = "";
  #isQuoted = false;
  #afterQuote = false; // after a quote in a quoted cell: it ends the cell, or is the first of two

  constructor(onRecord) {
    this.#onRecord = onRecord;
  }

  feed(text) {
    if (this.#delimiter === null) {
      this.#head += text;
      if (!this.#head.includes("\n")) return;
      this.#delimiter = detectDelimiter(this.#head);
      text = this.#head;
    }
    for (const character of text) this.#read(character);
  }

  end() {
    if (this.#cell || this.#cells.length) this.#endRecord();
  }

  #read(character) {
    if (this.#afterQuote) {
      this.#afterQuote = false;
      if (character === '"') {
        this.#cell += character;
        return;
      }
      this.#isQuoted = false;
    }
    if (this.#isQuoted) {
      if (character === '"') this.#afterQuote = true;
      else this.#cell += character;
    } else if (character === '"') {
      this.#isQuoted = true;
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

// The response has the delimiter of the request. The header has it before "prediction".
function detectDelimiter(head) {
  return head.match(/([,;\t|])"?prediction/)?.[1] ?? ",";
}
