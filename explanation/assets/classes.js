"use strict";
/* The list of classes: choose one, choose another to compare with, tick those of the subset. */

const TOO_MANY = 200; // rows drawn at once; the search box reaches the others

class ClassList {
  constructor(root, model, names, onChange) {
    Object.assign(this, { model, names, onChange, rows: new Map() });
    this.body = root.querySelector("#class-rows");
    this.search = root.querySelector("#search");
    this.note = root.querySelector("#class-note");
    this.order = names.map((_, k) => k).sort((a, b) => model.p[b] - model.p[a] || a - b);
    this.rank = new Map(this.order.map((k, place) => [k, place + 1]));
    this.search.addEventListener("input", () => this.draw(this.question));
    this.search.addEventListener("keydown", (event) => {
      const first = this.body.querySelector("input[name=target]");
      if (event.key === "Enter" && first) first.click();
      else if (event.key === "ArrowDown" && first) { first.focus(); event.preventDefault(); }
    });
  }

  matching() {
    const wanted = this.search.value.trim().toLowerCase();
    const found = this.order.filter((k) => this.names[k].toLowerCase().includes(wanted) || String(k) === wanted);
    const shown = found.slice(0, TOO_MANY);
    const chosen = wanted ? [] : [this.question.target, this.question.versus];
    return [found.length, [...shown, ...chosen.filter((k) => !shown.includes(k))]];
  }

  row(k) {
    if (this.rows.has(k)) return this.rows.get(k);
    const row = document.getElementById("class-row").content.firstElementChild.cloneNode(true);
    const name = this.names[k];
    for (const input of row.querySelectorAll("input")) {
      input.value = k;
      input.id = `${input.name}-${k}`;
      input.setAttribute("aria-label", `${input.dataset.says} ${name}`);
      input.addEventListener("change", () => this.choose(input.name, k, input.checked));
    }
    const label = row.querySelector("label");
    label.htmlFor = `target-${k}`;
    label.textContent = name;
    label.title = `${name}: class ${k}, rank ${this.rank.get(k)} of ${this.names.length}`;
    row.querySelector(".bar i").style.width = `${100 * this.model.p[k]}%`;
    row.querySelector("output").textContent = short(this.model.p[k]);
    this.rows.set(k, row);
    return row;
  }

  choose(what, k, checked) {
    if (what !== "subset") return this.onChange({ [what]: k });
    const subset = new Set(this.question.subset);
    if (checked) subset.add(k);
    else subset.delete(k);
    this.onChange({ subset });
  }

  draw(question) {
    this.question = question;
    const [count, shown] = this.matching();
    const focused = document.activeElement;
    const rows = shown.map((k) => this.row(k));
    if (rows.length !== this.body.children.length || rows.some((row, i) => row !== this.body.children[i])) {
      this.body.replaceChildren(...rows);
      focused?.focus({ preventScroll: true }); // moving a row takes the focus away
    }
    for (const k of shown) {
      const row = this.rows.get(k);
      row.querySelector("[name=target]").checked = k === question.target;
      row.querySelector("[name=versus]").checked = k === question.versus;
      row.querySelector("[name=subset]").checked = question.subset.has(k);
      row.classList.toggle("is-target", k === question.target);
      row.classList.toggle("is-versus", k === question.versus);
    }
    this.note.textContent = count === 0 ? "No class of this name." :
      count > shown.length ? `${shown.length} of ${count} classes; search to find the others.` : "";
  }
}
