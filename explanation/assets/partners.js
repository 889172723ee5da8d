"use strict";
/* Taylor-CAM: which cells act together with the cell that is read, for the class that the page was written for. */

class Partners {
  constructor(root, payload, model, palette) {
    Object.assign(this, { model, palette, names: payload.names, target: payload.interactions?.target });
    this.section = root.querySelector("#partners");
    this.section.hidden = !payload.interactions;
    if (!payload.interactions) return;
    this.codes = new Uint16Array(bytesOf(payload.interactions.codes).buffer);
    this.canvas = this.section.querySelector("canvas");
    this.canvas.style.backgroundImage = `url(${root.querySelector("#picture img").src})`;
  }

  /* The interaction of two cells as a share of the largest of any two in the picture; 0 of a cell with itself. */
  of(a, b) {
    if (a === b) return 0;
    const [i, j] = a < b ? [a, b] : [b, a];
    return this.codes[i * this.model.cells - (i * (i + 1)) / 2 + j - i - 1] / 65535;
  }

  /* The map of a cell's partners. */
  map(cell) {
    return Float64Array.from({ length: this.model.cells }, (_, other) => this.of(cell, other));
  }

  draw(cell) {
    if (this.section.hidden) return;
    const { width, height, step, first } = this.model;
    const map = this.map(cell);
    const look = { width, height, places: { step, first }, palette: this.palette, opacity: 0.75, smooth: false };
    paintMap(this.canvas, map, { ...look, range: [0, largest(map)] });
    this.section.querySelector("p").textContent =
      `For ${this.names[this.target]}. 100 % are the two cells of the picture that act together most.`;
    const order = Array.from(map.keys()).sort((a, b) => map[b] - map[a]).slice(0, 3).filter((other) => map[other] > 0);
    this.section.querySelector("ul").replaceChildren(...order.map((other) => {
      const line = document.createElement("li");
      const [row, column] = [Math.floor(other / width) + 1, (other % width) + 1];
      line.textContent = `Row ${row}, column ${column}: ${short(100 * map[other])} %`;
      return line;
    }));
  }
}
