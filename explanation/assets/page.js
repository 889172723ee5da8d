"use strict";
/* State, drawing and controls. `page` is the whole of it. */

const page = (() => {
  const payload = JSON.parse(document.getElementById("payload").textContent);
  const model = new Model(payload);
  const { kinds, names } = payload;
  const kindNames = Object.keys(kinds);
  const palettes = { sequential: paletteOf(payload.palettes.sequential), diverging: paletteOf(payload.palettes.diverging) };
  const byId = (id) => document.getElementById(id);
  const state = {
    kind: kindNames[0], target: payload.question.target, versus: payload.question.versus,
    subset: new Set(payload.question.subset), scale: "map", smooth: true, opacity: 0.75,
  };
  let opacityBefore = state.opacity;
  const list = new ClassList(document, model, names, change);
  const partners = new Partners(document, payload, model, palettes.sequential);
  const reader = new CellReader(document, model, names, kinds, partners, (target) => change({ target }));
  const tabs = kindNames.map(makeTab);

  /* Where the palette's ends lie for a map: at its own extremes, at those of any class, or at 0 and 1. */
  function rangeOf(kindName, map, scale) {
    const { signed } = kinds[kindName];
    if (scale === "classes") return model.rangeOverClasses(kindName);
    if (scale === "absolute") return signed ? [-1, 1] : [0, 1];
    const high = largest(map);
    const low = smallest(map);
    if (signed) return [-Math.max(high, -low), Math.max(high, -low)];
    return kindName === "cam" ? [low, high] : [0, high];
  }

  function makeTab(name, index) {
    const tab = byId("tab").content.firstElementChild.cloneNode(true);
    tab.dataset.kind = name;
    tab.querySelector("canvas").style.backgroundImage = `url(${byId("picture").querySelector("img").src})`;
    tab.title = `${kinds[name].title} (key ${index + 1})`;
    tab.querySelector("b").textContent = kinds[name].title;
    tab.querySelector("small").textContent = kinds[name].formula.replace(/\([^)]*\)/g, (p) => p.replaceAll(" ", "\u00a0"));
    tab.addEventListener("click", () => change({ kind: name }));
    byId("tabs").append(tab);
    return tab;
  }

  function look(name, map) {
    const { width, height, step, first } = model;
    const { signed } = kinds[name];
    const palette = signed ? palettes.diverging : palettes.sequential;
    const { smooth, opacity } = state;
    return { width, height, places: { step, first }, range: rangeOf(name, map, state.scale), palette, signed, smooth, opacity };
  }

  function drawTab(tab) {
    const name = tab.dataset.kind;
    const map = model.map(name, state);
    paintMap(tab.querySelector("canvas"), map, { ...look(name, map), smooth: true });
    tab.setAttribute("aria-pressed", String(name === state.kind));
  }

  function drawBar({ range, palette }, unit) {
    paintBar(byId("bar"), palette);
    const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => range[0] + share * (range[1] - range[0]));
    byId("ticks").replaceChildren(...marks.map((value) => {
      const mark = document.createElement("span");
      mark.textContent = short(value);
      return mark;
    }));
    byId("unit").textContent = unit;
  }

  function drawChosen() {
    const ofSubset = [...state.subset].reduce((sum, k) => sum + model.p[k], 0);
    byId("chosen-target").textContent = names[state.target];
    byId("chosen-target-p").textContent = short(model.p[state.target]);
    byId("chosen-versus").textContent = names[state.versus];
    byId("chosen-versus-p").textContent = short(model.p[state.versus]);
    byId("chosen-subset").textContent = `${state.subset.size} ${state.subset.size === 1 ? "class" : "classes"}`;
    byId("chosen-subset-p").textContent = short(ofSubset);
  }

  function draw() {
    const map = model.map(state.kind, state);
    const drawn = look(state.kind, map);
    paintMap(byId("map"), map, drawn);
    tabs.forEach(drawTab);
    drawBar(drawn, kinds[state.kind].unit);
    byId("opacity").value = 100 * state.opacity;
    drawChosen();
    list.draw(state);
    byId("total").textContent = totalOf(state.kind, model, state, names);
    reader.show({ kindName: state.kind, map, range: drawn.range, question: state });
  }

  function change(part) {
    Object.assign(state, part);
    draw();
    if ("kind" in part) tabs[kindNames.indexOf(part.kind)].scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function hideOrShow() {
    if (state.opacity > 0) opacityBefore = state.opacity;
    change({ opacity: state.opacity > 0 ? 0 : opacityBefore });
  }

  function connect() {
    byId("opacity").addEventListener("input", (event) => change({ opacity: event.target.value / 100 }));
    byId("smooth").addEventListener("change", (event) => change({ smooth: event.target.checked }));
    for (const input of document.querySelectorAll("input[name=scale]")) {
      input.addEventListener("change", () => change({ scale: input.value }));
    }
    const everyClass = names.map((_, k) => k);
    byId("take-superset").addEventListener("click", () => {
      change({ subset: new Set(payload.supersets.groups[payload.supersets.group_of[state.target]]) });
    });
    byId("take-all").addEventListener("click", () => change({ subset: new Set(everyClass) }));
    byId("take-target").addEventListener("click", () => change({ subset: new Set([state.target]) }));
    byId("take-none").addEventListener("click", () => change({ subset: new Set() }));
    byId("swap").addEventListener("click", () => change({ target: state.versus, versus: state.target }));
    byId("theme").addEventListener("click", () => {
      const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
      document.documentElement.dataset.theme = dark ? "light" : "dark";
    });
    document.addEventListener("keydown", (event) => {
      if (event.target.matches("input[type=search]") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/") { byId("search").focus(); event.preventDefault(); }
      if (event.key === "o") hideOrShow();
      const name = kindNames[Number(event.key) - 1];
      if (name) change({ kind: name });
    });
  }

  connect();
  draw();
  return { state, model, partners, change, rangeOf, map: () => model.map(state.kind, state) };
})();
