"use strict";
/* The cell under the pointer, under the keyboard's cursor, or at the map's peak, and what the network says there. */

class CellReader {
  constructor(root, model, names, kinds, partners, onChoose) {
    Object.assign(this, { model, names, kinds, partners, onChoose, hovered: null, pinned: null });
    this.picture = root.querySelector("#picture");
    this.outline = root.querySelector("#outline");
    this.marker = root.querySelector("#marker");
    this.card = root.querySelector("#cell");
    this.picture.addEventListener("pointermove", (event) => this.hover(this.at(event)));
    this.picture.addEventListener("pointerleave", () => this.hover(null));
    this.picture.addEventListener("click", (event) => {
      const cell = this.at(event);
      this.pin(cell === this.pinned ? null : cell);
    });
    this.picture.addEventListener("keydown", (event) => this.key(event));
  }

  at(event) {
    const box = this.picture.getBoundingClientRect();
    const { step, first } = this.model;
    const inside = (share, cells) => Math.min(Math.max(Math.round((share - first) / step), 0), cells - 1);
    const column = inside((event.clientX - box.left) / box.width, this.model.width);
    return inside((event.clientY - box.top) / box.height, this.model.height) * this.model.width + column;
  }

  hover(cell) {
    if (cell === this.hovered) return;
    this.hovered = cell;
    this.draw();
  }

  pin(cell) {
    this.pinned = cell;
    this.draw();
  }

  key(event) {
    const { width, height } = this.model;
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    if (event.key === "Escape") return this.pin(null);
    if (!(event.key in moves)) return;
    event.preventDefault();
    const [down, right] = moves[event.key];
    const row = Math.min(Math.max(Math.floor(this.cell / width) + down, 0), height - 1);
    const column = Math.min(Math.max((this.cell % width) + right, 0), width - 1);
    this.hovered = null;
    this.pin(row * width + column);
  }

  get cell() {
    return this.hovered ?? this.pinned ?? this.peak;
  }

  /* shown: {kindName, map, range, question} */
  show(shown) {
    this.shown = shown;
    this.peak = this.model.peak(shown.map, this.kinds[shown.kindName].signed);
    this.draw();
  }

  draw() {
    const { kindName, map, range: [low, high], question } = this.shown;
    const { width, height, prior } = this.model;
    const cell = this.cell;
    const [row, column] = [Math.floor(cell / width), cell % width];
    const [[left, right], [top, bottom]] = [this.model.edges(column), this.model.edges(row)];
    Object.assign(this.outline.style, {
      left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%`,
    });
    const share = high > low ? (map[cell] - low) / (high - low) : 0.5;
    this.marker.style.left = `${100 * Math.min(Math.max(share, 0), 1)}%`;
    const words = {
      target: this.names[question.target], versus: this.names[question.versus],
      subset: [...question.subset].sort((a, b) => a - b).map((k) => this.names[k]), total: this.names.length,
    };
    const text = (id, content) => { this.card.ownerDocument.getElementById(id).textContent = content; };
    text("sentence", sentenceOf(this.kinds[kindName], map[cell], words));
    const place = cell === this.peak ? ", the map’s peak" : "";
    text("cell-place", `Row ${row + 1}, column ${column + 1} of ${height} × ${width}${place}`);
    text("cell-value", short(map[cell]));
    text("cell-formula", this.kinds[kindName].formula);
    text("cell-prior", prior ? short(prior[cell]) : "");
    this.drawTop(cell);
    this.partners.draw(cell);
  }

  drawTop(cell) {
    const top = this.model.topAt(cell, 5).filter(([, value]) => value > 0 || !this.model.prior);
    const full = this.model.prior ? 1 : Math.max(...top.map(([, value]) => Math.abs(value)), 1e-30);
    document.getElementById("cell-top").replaceChildren(...top.map(([k, value]) => {
      const row = document.getElementById("top-row").content.firstElementChild.cloneNode(true);
      const button = row.querySelector("button");
      button.textContent = this.names[k];
      button.addEventListener("click", () => this.onChoose(k));
      row.querySelector(".bar i").style.width = `${(100 * Math.max(value, 0)) / full}%`;
      row.querySelector("output").textContent = short(value);
      return row;
    }));
  }
}
