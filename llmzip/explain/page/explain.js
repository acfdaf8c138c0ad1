// Draws the page from what stands in it.
(() => {
  // ---- small tools
  const percent = (part, all) => (all > 0 ? `${(100 * part / all).toFixed(1)} %` : "");
  const chance = (p) => (p >= 0.1 ? `${(100 * p).toFixed(0)} %` : p >= 0.0001 ? `${(100 * p).toPrecision(2)} %` : "< 0.01 %");
  function raw(text) {
    const binary = atob(text), bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
    return bytes;
  }
  function numbers(kind, text) {
    const bytes = raw(text), size = kind.BYTES_PER_ELEMENT, found = new kind(bytes.length / size);
    if (size === 1) { found.set(bytes); return found; }
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < found.length; i += 1) found[i] = size === 2 ? view.getUint16(2 * i, true) : view.getUint32(4 * i, true);
    return found;
  }
  const digits = (byte) => byte.toString(16).padStart(2, "0");
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  // ---- words
  function drawWords() {
    byId("headline").textContent = run.file;
    const parts = [];
    if (run.units !== null) {
      const units = run.units.unit === "byte" ? "" : `${whole.format(costs.length)} ${run.units.unit}s, `;
      parts.push(run.length === 0 ? "Empty." : `${whole.format(run.length)} bytes from byte ${whole.format(run.begin)}: ${units}` +
        `${whole.format(Math.round(run.bits))} bits, ${run.bits_per_byte.toFixed(3)} bits per byte, by ${run.predictor}.`);
    } else {
      const bytes = run.tensors.reduce((sum, t) => sum + t.raw_bytes, 0);
      parts.push(`${whole.format(run.tensors.length)} tensors: ${whole.format(bytes)} bytes in ${whole.format(run.coded_bytes)}, ` +
        `${bytes > 0 ? (8 * run.coded_bytes / bytes).toFixed(3) : "-"} bits per byte, ${run.predictor}.`);
    }
    byId("lead").textContent = parts.join(" ");
    for (const note of run.notes) put(byId("notes"), "li", {}, note);
  }

  // ---- tables
  function table(id, head, rows, text) {
    const node = byId(id);
    const line = put(put(node, "thead"), "tr");
    head.forEach((label, i) => put(line, "th", { scope: "col", class: i === 0 ? "name" : text.includes(i) ? "text" : null }, label));
    const body = put(node, "tbody");
    for (const [name, ...cells] of rows) {
      const row = put(body, "tr");
      put(row, "th", { scope: "row", class: "name" }, name);
      for (const [i, cell] of cells.entries()) {
        if (typeof cell === "number") put(put(row, "td", { class: "graph" }), "span", { class: "share", style: `width:${Math.max(100 * cell, 0.5).toFixed(2)}%` });
        else put(row, "td", { class: text.includes(i + 1) ? "text" : null }, cell);
      }
    }
  }
  function drawTables() {
    if (run.units !== null) {
      const noun = `${run.units.unit}s`, most = Math.max(...run.histogram.map((b) => b.bits), 1e-9);
      table("histogram", ["bits", noun, "of them", "of the bits", ""], run.histogram.filter((b) => b.units > 0).map((b) =>
        [b.name, whole.format(b.units), percent(b.units, costs.length), percent(b.bits, run.bits), b.bits / most]), []);
    }
    byId("shares-section").hidden = run.carriers.length === 0;
    const top = Math.max(...run.carriers.map((c) => c.bits), 1e-9);
    table("shares", ["", `${run.unit}s`, "of the bits", "bits each", ""], run.carriers.map((c) =>
      [c.name, whole.format(c.units), percent(c.bits, run.bits), (c.bits / c.units).toFixed(3), c.bits / top]), []);
    byId("columns-section").hidden = run.columns.length === 0;
    const all = run.columns.reduce((sum, c) => sum + c.bits, 0), widest = Math.max(...run.columns.map((c) => c.bits), 1e-9);
    byId("columns-by").textContent = `${run.columns_by}: ${whole.format(Math.round(all / 8))} bytes for ${whole.format(run.rows)} rows.`;
    table("columns", ["column", "bytes", "share", "bits a row", ""], [...run.columns].sort((a, b) => b.bits - a.bits).map((c) =>
      [c.is_cell ? c.name : `(${c.name})`, whole.format(Math.round(c.bits / 8)), percent(c.bits, all), run.rows > 0 ? (c.bits / run.rows).toFixed(3) : "", c.bits / widest]), []);
    if (run.tensors.length === 0) return;
    byId("fields-section").hidden = byId("tensors-section").hidden = false;
    const fields = run.fields.flatMap(([kind, own]) => own.map(([name, bytes]) => [`${kind || "?"}: ${name}`, bytes]));
    const rest = run.coded_bytes - fields.reduce((sum, [, bytes]) => sum + bytes, 0);
    const largest = Math.max(rest, ...fields.map(([, bytes]) => bytes), 1);
    table("fields", ["kind, field", "bytes", "share", ""], [...fields, ["heads, tables, stored", rest]].map(([name, bytes]) =>
      [name, whole.format(bytes), percent(bytes, run.coded_bytes), bytes / largest]), []);
    const big = Math.max(...run.tensors.map((t) => t.coded_bytes), 1);
    table("tensors", ["tensor", "kind", "shape", "bytes", "coded", "share", "bits/byte", "method", ""], run.tensors.map((t) =>
      [t.name, t.kind || "?", t.shape.join(" \u00d7 "), whole.format(t.raw_bytes), whole.format(t.coded_bytes), percent(t.coded_bytes, run.coded_bytes),
        t.raw_bytes > 0 ? (8 * t.coded_bytes / t.raw_bytes).toFixed(3) : "", t.method, t.coded_bytes / big]), [1, 2, 7]);
  }

  // ---- units: what each byte or token is, and what is shown together
  const units = run.units;
  const content = units ? raw(units.content) : new Uint8Array(0);
  const costs = units ? numbers(Uint16Array, units.costs) : [];
  const lengths = units && units.lengths !== null ? numbers(Uint16Array, units.lengths) : null;
  const carriers = units && units.carriers !== null ? numbers(Uint8Array, units.carriers) : null;
  const tops = units ? numbers(lengths === null ? Uint8Array : Uint32Array, units.tops) : [];
  const chances = units ? numbers(Uint16Array, units.chances) : [];
  const bitsOf = (unit) => costs[unit] / units.costUnit;
  const starts = new Uint32Array(costs.length + 1);
  for (let i = 0; i < costs.length; i += 1) starts[i + 1] = starts[i] + (lengths === null ? 1 : lengths[i]);

  // Shown together: a token; a byte; or the bytes of one character. `first` has the unit that each begins with.
  const first = [];
  function characterLength(at) {
    const lead = content[at];
    const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (length === 1 || at + length > content.length) return 1;
    try { strict.decode(content.subarray(at, at + length)); return length; } catch { return 1; }
  }
  for (let at = 0; at < costs.length;) {
    first.push(at);
    at += lengths === null && !units.hex ? characterLength(at) : 1;
  }
  first.push(costs.length);
  const count = first.length - 1;
  const bytesOf = (item) => content.subarray(starts[first[item]], starts[first[item + 1]]);
  function cost(item) {
    let sum = 0;
    for (let unit = first[item]; unit < first[item + 1]; unit += 1) sum += bitsOf(unit);
    return sum;
  }
  function visible(character) {
    const code = character.codePointAt(0);
    if (character === "\n") return "\u21b5\n";
    if (character === "\t") return "\t";
    if (character === "\r") return "\\r";
    if (code < 32 || code === 127) return `\\x${digits(code)}`;
    // What could turn the text around, or is not seen.
    if ((code >= 0x80 && code < 0xa0) || code === 0x200e || code === 0x200f || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069)) return `\\u${code.toString(16).padStart(4, "0")}`;
    return character;
  }
  function shown(bytes) {
    if (bytes.length === 1 && bytes[0] > 31 && bytes[0] < 127) return String.fromCharCode(bytes[0]);
    try { return [...strict.decode(bytes)].map(visible).join(""); } catch { return [...bytes].map((byte) => `\\x${digits(byte)}`).join(""); }
  }
  // In a report of one thing: spaces and line ends are named.
  function named(bytes) {
    if (bytes.length === 1 && (units.hex || bytes[0] > 126)) return digits(bytes[0]);
    const text = shown(bytes).replaceAll("\n", "").replaceAll("\t", "\u21e5").replaceAll(" ", "\u2423");
    return text === "" ? "(special token)" : text;
  }
  const symbol = (number) => (units.symbols === null ? Uint8Array.of(number) : Uint8Array.from(units.symbols[number], (c) => c.charCodeAt(0)));
  const colour = (bits) => { let n = 0; while (n < 7 && bits >= units.colours[n]) n += 1; return n; };

  // ---- the content, in blocks that get their colours when they are near
  const box = byId("content");
  const ROW = innerWidth < 640 ? 8 : 16;
  const SIZE = units && units.hex ? ROW * 64 : 2048;
  const blocks = [];
  // Calls `text` for what is not part of an item, and `each` for items.
  function walk(block, text, each) {
    const begin = block * SIZE, end = Math.min(begin + SIZE, count);
    if (!units.hex) {
      for (let item = begin; item < end; item += 1) {
        const part = shown(bytesOf(item)), ends = part.endsWith("\n");
        each(item, ends ? part.slice(0, -1) : part);
        if (ends) text("\n");
      }
      return;
    }
    for (let row = begin; row < end; row += ROW) {
      const stop = Math.min(row + ROW, end);
      text(`${(run.begin + row).toString(16).padStart(8, "0")}  `);
      let letters = "";
      for (let item = row; item < stop; item += 1) {
        const byte = content[item];
        each(item, digits(byte));
        text(item - row === 7 && ROW > 8 ? "  " : " ");
        letters += byte > 31 && byte < 127 ? String.fromCharCode(byte) : ".";
      }
      text(`${" ".repeat(3 * (row + ROW - stop) + (stop - row < 8 && ROW > 8 ? 1 : 0))} ${letters}\n`);
    }
  }
  const items = new WeakMap();
  function fill(number) {
    const node = blocks[number];
    if (node.filled) return;
    node.filled = true;
    const fragment = document.createDocumentFragment();
    let open = "";
    walk(number, (text) => { open += text; }, (item, text) => {
      if (open !== "") { fragment.append(open); open = ""; }
      const span = document.createElement("span");
      const n = colour(cost(item));
      if (n > 0) span.className = `c${n}`;
      span.textContent = text;
      items.set(span, item);
      fragment.append(span);
    });
    fragment.append(open);
    node.replaceChildren(fragment);
  }
  function drawContent() {
    if (units === null) { for (const id of ["content-section", "along-section", "places-section", "sums"]) byId(id).hidden = true; return; }
    byId("content-section").hidden = byId("along-section").hidden = byId("places-section").hidden = count === 0;
    box.classList.toggle("hex", units.hex);
    const near = new IntersectionObserver((seen) => {
      for (const { isIntersecting, target } of seen) if (isIntersecting) { fill(target.number); near.unobserve(target); }
    }, { rootMargin: "600px" });
    for (let number = 0; number * SIZE < count; number += 1) {
      const node = document.createElement("div");
      node.className = "block";
      node.number = number;
      // A line must not break between two blocks that the content does not break.
      if (!units.hex) node.style.display = "inline";
      let text = "";
      walk(number, (part) => { text += part; }, (_, part) => { text += part; });
      node.textContent = text;
      box.append(node);
      blocks.push(node);
      near.observe(node);
    }
    addEventListener("beforeprint", () => blocks.forEach((_, number) => fill(number)));
    const what = units.unit === "token" ? "token" : units.hex ? "byte" : "character";
    byId("help").textContent = `Each ${what} is coloured by its bits. Point at one, tap it, or move with the arrow keys (Home, End; n and p for the costliest places) to see what was expected there.`;
    const legend = byId("legend");
    legend.append("bits: ");
    units.colours.forEach((bound, n) => { if (n === 0) put(legend, "span", { class: "c0" }, `< ${bound}`); put(legend, "span", { class: `c${n + 1}` }, `\u2265 ${bound}`); });
  }

  // ---- one item
  let current = -1, marked = null;
  function element(item) {
    const number = Math.floor(item / SIZE);
    fill(number);
    return blocks[number].children[item - number * SIZE];
  }
  // Once more when it was drawn: blocks have their heights only then.
  function show(block) {
    const one = marked;
    const scroll = () => {
      if (marked !== one) return;
      one.scrollIntoView({ block });
      // The panel above stays in sight, and hides what is under it.
      const over = byId("told").getBoundingClientRect().bottom - one.getBoundingClientRect().top;
      if (over > 0) scrollBy(0, -over - 8);
    };
    scroll();
    requestAnimationFrame(() => requestAnimationFrame(scroll));
  }
  function select(item, scroll) {
    current = Math.max(0, Math.min(count - 1, item));
    marked?.classList.remove("on");
    marked = element(current);
    marked.classList.add("on");
    tell(current);
    if (scroll) show("nearest");
  }
  function tell(item) {
    const panel = byId("told");
    panel.textContent = "";
    const bytes = bytesOf(item), begin = starts[first[item]];
    const line = put(panel, "p");
    put(line, "code", {}, named(bytes));
    const hex = bytes.length <= 8 ? `, ${[...bytes].map(digits).join(" ")}` : "";
    const total = cost(item);
    line.append(` at byte ${whole.format(run.begin + begin)}${hex}: ${total.toFixed(2)} bits`);
    if (bytes.length > 1) line.append(`, ${(total / bytes.length).toFixed(2)} a byte`);
    for (let unit = first[item]; unit < first[item + 1]; unit += 1) tellUnit(panel, unit, first[item + 1] - first[item] > 1);
  }
  function tellUnit(panel, unit, several) {
    const own = content.subarray(starts[unit], starts[unit + 1]);
    const words = [];
    if (several) words.push(`${digits(own[0])}: ${bitsOf(unit).toFixed(2)} bits`);
    if (carriers !== null) words.push(carriers[unit] < units.names.length ? `most by ${units.names[carriers[unit]]}` : "predicted by nothing");
    if (words.length > 0) put(panel, "p", {}, words.join(", "));
    if (units.count === 0) return;
    const list = put(panel, "ol");
    let found = false;
    for (let n = 0; n < units.count; n += 1) {
      const bytes = symbol(tops[unit * units.count + n]), p = chances[unit * units.count + n] / units.chanceUnit;
      const same = bytes.length === own.length && bytes.every((byte, i) => byte === own[i]);
      found ||= same;
      row(list, bytes, p, same);
    }
    if (!found) row(list, own, 2 ** -bitsOf(unit), true);
  }
  function row(list, bytes, p, own) {
    const node = put(list, "li", { class: own ? "own" : null });
    put(node, "code", {}, named(bytes));
    node.append(chance(p));
    put(node, "span", { class: "share", style: `width:${(4 * p).toFixed(3)}rem` });
  }
  function line(item, down) {
    const from = element(item).getBoundingClientRect(), middle = from.left + from.width / 2;
    let best = -1, distance = Infinity, edge = null;
    for (let other = item + (down ? 1 : -1); other >= 0 && other < count; other += down ? 1 : -1) {
      const rect = element(other).getClientRects()[0];
      if (!rect || Math.abs(rect.top - from.top) < 2) continue;
      if (edge === null) edge = rect.top;
      else if (Math.abs(rect.top - edge) > 2) break;
      const off = Math.abs(rect.left + rect.width / 2 - middle);
      if (off < distance) { distance = off; best = other; }
    }
    return best < 0 ? item : best;
  }
  const places = run.places.map((place) => itemAt(place.offset)).sort((a, b) => a - b);
  function itemAt(offset) {
    let low = 0, high = count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[first[middle]] <= offset - run.begin) low = middle; else high = middle - 1;
    }
    return low;
  }
  function listen() {
    // Where the content moves under a mouse that rests, nobody points at anything.
    let rests = [-1, -1];
    addEventListener("pointermove", (event) => { rests = [event.clientX, event.clientY]; });
    box.addEventListener("pointerover", (event) => {
      const item = items.get(event.target);
      const moved = event.clientX !== rests[0] || event.clientY !== rests[1];
      if (item !== undefined && moved && event.pointerType === "mouse") select(item, false);
    });
    box.addEventListener("click", (event) => {
      const item = items.get(event.target);
      if (item !== undefined) select(item, false);
    });
    box.addEventListener("focus", () => { if (current < 0 && box.matches(":focus-visible")) select(0, true); });
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const at = Math.max(current, 0);
      const to = {
        ArrowRight: () => at + 1, ArrowLeft: () => at - 1, ArrowDown: () => line(at, true), ArrowUp: () => line(at, false),
        Home: () => 0, End: () => count - 1,
        n: () => places.find((item) => item > at) ?? at, p: () => places.findLast((item) => item < at) ?? at,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      select(to(), true);
    });
  }

  // ---- places and the curve
  function drawPlaces() {
    if (units === null) return;
    for (const place of run.places) {
      const item = put(byId("places"), "li");
      const button = put(item, "button", { type: "button" });
      const bytes = content.subarray(place.offset - run.begin, place.offset - run.begin + place.length);
      put(button, "code", {}, units.hex ? [...bytes].map(digits).join(" ") : [...bytes.length > 0 ? shownLoosely(bytes) : ""].join(""));
      item.append(` ${place.bits.toFixed(1)} bits, at byte ${whole.format(place.offset)}`);
      button.addEventListener("click", () => go(itemAt(place.offset)));
    }
  }
  // A stretch may begin or end within a character.
  const shownLoosely = (bytes) => [...new TextDecoder().decode(bytes)].map((c) => visible(c).replaceAll("\n", "")).join("");
  function go(item) {
    box.focus({ preventScroll: true });
    select(item, false);
    show("center");
  }
  function drawCurve() {
    const box = byId("along");
    box.textContent = "";
    if (units === null || run.curve.length === 0) return;
    const width = Math.max(box.clientWidth, 200), height = 190;
    const pad = { left: 32, right: 10, top: 10, bottom: 22 };
    const top = Math.max(...run.curve.map(([, bits]) => bits)) * 1.08 || 1;
    const sx = (offset) => pad.left + (offset - run.begin) / run.length * (width - pad.left - pad.right);
    const sy = (bits) => height - pad.bottom - bits / top * (height - pad.top - pad.bottom);
    const svg = put(box, "svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": `Bits per byte along the file, ${run.bits_per_byte.toFixed(3)} over all; the highest step has ${(top / 1.08).toFixed(2)}` });
    const step = [0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8].find((s) => top / s <= 6) ?? 16;
    for (let bits = 0; bits <= top; bits += step) {
      put(svg, "line", { class: "grid", x1: pad.left, x2: width - pad.right, y1: sy(bits), y2: sy(bits) });
      put(svg, "text", { class: "tick", x: pad.left - 6, y: sy(bits) + 4, "text-anchor": "end" }, String(Number(bits.toFixed(2))));
    }
    put(svg, "text", { class: "tick", x: pad.left, y: height - 6 }, whole.format(run.begin));
    put(svg, "text", { class: "tick", x: width - pad.right, y: height - 6, "text-anchor": "end" }, `byte ${whole.format(run.begin + run.length)}`);
    const d = run.curve.map(([offset, bits], i) => `${i === 0 ? "M" : "L"}${sx(offset)} ${sy(bits)}H${sx(run.curve[i + 1]?.[0] ?? run.begin + run.length)}`).join("");
    put(svg, "path", { class: "area", d: `${d}V${sy(0)}H${sx(run.begin)}z` });
    put(svg, "path", { class: "line", d });
    svg.addEventListener("click", (event) => {
      const x = (event.clientX - svg.getBoundingClientRect().left - pad.left) / (width - pad.left - pad.right);
      go(itemAt(run.begin + Math.max(0, Math.min(1, x)) * run.length));
    });
  }

  drawWords();
  drawTables();
  drawPlaces();
  drawContent();
  drawCurve();
  listen();
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; drawCurve(); } });
})();
