// What the scripts of all pages begin with. Text from the data is only ever set as text.
"use strict";
const run = JSON.parse(document.getElementById("run").textContent);
const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
function put(parent, name, attributes, ...children) {
  const space = parent instanceof SVGElement || name === "svg" ? SVG : "http://www.w3.org/1999/xhtml";
  const node = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children);
  parent.append(node);
  return node;
}
const whole = new Intl.NumberFormat("en");
