// Draws one slice of an input and an output at the same place; everything but the voxels is computed here.
const TYPES = { int16: Int16Array, uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };
const DIFFERENCE_HU = 100;
const viewers = new WeakMap();

class Viewer {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.view = { x: 0.5, y: 0.5 };
    this.point = null;
    for (const name of ["show", "zoom", "divider"]) this.input(name).addEventListener("input", () => this.draw());
    for (const name of ["level", "width"]) {
      this.input(name).addEventListener("input", () => { this.input("preset").value = ""; this.window(); });
    }
    this.input("preset").addEventListener("input", () => this.preset());
    this.input("slice").addEventListener("input", () => this.load());
    this.canvas.addEventListener("pointerdown", event => this.press(event));
    this.canvas.addEventListener("pointermove", event => this.move(event));
    this.canvas.addEventListener("pointerup", () => { this.drag = null; });
    this.canvas.addEventListener("wheel", event => this.wheel(event), { passive: false });
    this.canvas.addEventListener("keydown", event => this.key(event));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.canvas);
  }

  input(name) { return this.root.querySelector(`input[name="${name}"], select[name="${name}"]`); }

  show(data) {
    const same = this.data && JSON.stringify(this.data) === JSON.stringify(data);
    if (same) return;
    const first = !this.data;
    this.data = data;
    this.loaded = {};
    const compared = Boolean(data.after);
    for (const option of this.input("show").options) option.disabled = !compared && option.value !== "before";
    if (!compared) this.input("show").value = "before";
    else if (first || this.input("show").value === "before") this.input("show").value = "compare";
    this.root.querySelectorAll(".hu").forEach(label => { label.hidden = !data.hu; });
    this.root.querySelector(".slices").hidden = data.slices < 2;
    const slice = this.input("slice");
    slice.max = data.slices;
    if (first) slice.value = Math.ceil(data.slices / 2);
    if (first && data.window) {
      [this.input("level").value, this.input("width").value] = data.window;
      this.input("preset").value = `${data.window[0]},${data.window[1]}`;
      if (this.input("preset").selectedIndex < 0) this.input("preset").value = "";
    } else if (first) this.preset();
    this.links();
    this.load();
  }

  links() {
    const place = this.root.querySelector(".downloads");
    place.replaceChildren();
    for (const { label, url } of this.data.downloads) {
      const link = document.createElement("a");
      Object.assign(link, { href: url, textContent: label });
      link.setAttribute("download", "");
      place.append(link);
    }
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Save this view (PNG)";
    button.addEventListener("click", () => this.save());
    place.append(button);
  }

  async load() {
    const { data } = this, index = Number(this.input("slice").value) - 1 || 0;
    this.root.querySelector('output[name="slice"]').textContent = `${index + 1} of ${data.slices}`;
    delete this.root.dataset.shown;
    this.asked = `${index}`;
    const asked = this.asked, images = {};
    for (const which of ["before", "after"]) {
      if (!data[which]) continue;
      const { url, type, rows, columns } = data[which];
      const answer = await fetch(`${url}${index}`);
      if (!answer.ok) { this.say("The image was removed; load the page again."); return; }
      const values = new TYPES[type](await answer.arrayBuffer());
      images[which] = { values, rows, columns, bands: values.length / (rows * columns) };
    }
    // another slice, or another volume, may have been asked for meanwhile
    if (asked !== this.asked || data !== this.data) return;
    this.loaded = images;
    this.loaded.index = index;
    this.window();
    this.root.dataset.shown = `${index + 1}`;
  }

  preset() {
    const chosen = this.input("preset").value;
    if (chosen) [this.input("level").value, this.input("width").value] = chosen.split(",");
    this.window();
  }

  range() {
    if (!this.data.hu) return [0, this.data.steps - 1];
    const level = Number(this.input("level").value), width = Math.max(Number(this.input("width").value), 1);
    return [level - width / 2, level + width / 2];
  }

  window() {
    const [low, high] = this.range(), grey = 255 / (high - low);
    for (const which of ["before", "after"]) {
      const image = this.loaded[which];
      if (image) image.picture = painted(image, (values, i) => {
        if (image.bands === 3) return [values[3 * i] * grey, values[3 * i + 1] * grey, values[3 * i + 2] * grey];
        const shade = (values[i] - low) * grey;
        return [shade, shade, shade];
      });
    }
    this.loaded.difference = null;
    this.draw();
  }

  difference() {
    const { before, after } = this.loaded;
    const widest = this.data.hu ? DIFFERENCE_HU : this.data.steps / 10;
    return painted(after, (_, i) => {
      const row = Math.floor(i / after.columns), column = i % after.columns;
      const share = (level(after, row, column) - between(before, (row + 0.5) / after.rows, (column + 0.5) / after.columns)) / widest;
      // blue is darker than the input, red is brighter
      return share > 0 ? [255, 255 * (1 - share), 255 * (1 - share)] : [255 * (1 + share), 255 * (1 + share), 255];
    });
  }

  frame() {
    const { before } = this.loaded, { canvas, data } = this;
    const aspect = (before.rows * data.spacing[1]) / (before.columns * data.spacing[0]);
    const width = Math.max(Math.round(canvas.clientWidth * devicePixelRatio), 1);
    const tallest = Math.round(Math.max(window.innerHeight * 0.75, 320) * devicePixelRatio);
    const height = Math.min(Math.round(width * aspect), tallest);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const fit = Math.min(width, height / aspect), zoom = Number(this.input("zoom").value);
    const wide = fit * zoom, high = wide * aspect;
    const hold = (at, size, whole) => (size <= whole ? (whole - size) / 2 : Math.min(0, Math.max(whole - size, whole / 2 - at * size)));
    return { left: hold(this.view.x, wide, width), top: hold(this.view.y, high, height), wide, high };
  }

  draw() {
    if (!this.loaded?.before?.picture) return;
    const frame = this.frame(), { canvas, loaded } = this, show = this.input("show").value;
    this.root.querySelector(".compare").hidden = show !== "compare";
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.fillStyle = "#000";
    context.fillRect(0, 0, canvas.width, canvas.height);
    const put = picture => context.drawImage(picture, frame.left, frame.top, frame.wide, frame.high);
    if (show === "difference") put((loaded.difference ??= this.difference()));
    else put((show === "before" ? loaded.before : loaded.after).picture);
    if (show === "compare") {
      const at = (Number(this.input("divider").value) / 100) * canvas.width;
      context.save();
      context.beginPath();
      context.rect(0, 0, at, canvas.height);
      context.clip();
      context.fillRect(0, 0, at, canvas.height);
      put(loaded.before.picture);
      context.restore();
      context.fillStyle = "#ffb000";
      context.fillRect(at - devicePixelRatio, 0, 2 * devicePixelRatio, canvas.height);
      this.caption(context, "input", 8, "left");
      this.caption(context, "output", canvas.width / devicePixelRatio - 8, "right");
    }
    if (this.point) {
      const size = 7 * devicePixelRatio;
      const [x, y] = [frame.left + this.point.x * frame.wide, frame.top + this.point.y * frame.high];
      context.strokeStyle = "#ffb000";
      context.strokeRect(x - size / 2, y - size / 2, size, size);
    }
    const shown = this.input("show").selectedOptions[0].textContent;
    this.canvas.setAttribute("aria-label", `Slice ${loaded.index + 1} of ${this.data.slices}: ${shown}. Arrow keys move the point that is read, plus and minus zoom.`);
    this.read();
  }

  caption(context, text, x, align) {
    const size = 14 * devicePixelRatio;
    context.font = `${size}px sans-serif`;
    context.textAlign = align;
    const width = context.measureText(text).width;
    const left = align === "left" ? x * devicePixelRatio : x * devicePixelRatio - width;
    context.fillStyle = "rgba(0, 0, 0, 0.6)";
    context.fillRect(left - 4, 6 * devicePixelRatio, width + 8, size * 1.4);
    context.fillStyle = "#fff";
    context.fillText(text, x * devicePixelRatio, 6 * devicePixelRatio + size);
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect(), frame = this.frame();
    const x = ((event.clientX - box.left) / box.width) * this.canvas.width;
    const y = ((event.clientY - box.top) / box.height) * this.canvas.height;
    return { x: (x - frame.left) / frame.wide, y: (y - frame.top) / frame.high, share: x / this.canvas.width };
  }

  press(event) {
    if (!this.loaded?.before) return;
    this.canvas.setPointerCapture(event.pointerId);
    const at = this.place(event), divider = Number(this.input("divider").value) / 100;
    const zoomed = Number(this.input("zoom").value) > 1;
    const compared = this.input("show").value === "compare";
    this.drag = compared && (!zoomed || Math.abs(at.share - divider) < 0.03) ? { divider: true } : { from: at, view: { ...this.view } };
    this.move(event);
  }

  move(event) {
    if (!this.loaded?.before) return;
    const at = this.place(event);
    if (this.drag?.divider) this.input("divider").value = Math.round(at.share * 100);
    else if (this.drag) {
      this.view.x = clamp(this.view.x + this.drag.from.x - at.x);
      this.view.y = clamp(this.view.y + this.drag.from.y - at.y);
    }
    this.point = at.x >= 0 && at.x < 1 && at.y >= 0 && at.y < 1 ? { x: at.x, y: at.y } : null;
    this.draw();
  }

  wheel(event) {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    this.zoom(event.deltaY < 0 ? 0.5 : -0.5);
  }

  zoom(step) {
    if (this.point) Object.assign(this.view, this.point);
    this.input("zoom").value = Number(this.input("zoom").value) + step;
    this.draw();
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key === "+" || event.key === "-") this.zoom(event.key === "+" ? 0.5 : -0.5);
    else if (steps[event.key] && this.loaded?.before) {
      event.preventDefault();
      const finest = this.loaded.after ?? this.loaded.before, far = event.shiftKey ? 10 : 1;
      const from = this.point ?? this.view;
      this.point = {
        x: clamp(from.x + (far * steps[event.key][0]) / finest.columns),
        y: clamp(from.y + (far * steps[event.key][1]) / finest.rows),
      };
      Object.assign(this.view, this.point);
      this.draw();
    }
  }

  read() {
    if (!this.point) { this.say("Point at the image to read its values."); return; }
    const { before, after } = this.loaded, unit = this.data.hu ? " HU" : "";
    const at = image => image && value(image, this.point.y, this.point.x);
    const column = Math.floor(this.point.x * before.columns), row = Math.floor(this.point.y * before.rows);
    const output = after ? `, output ${at(after)}${unit}` : "";
    this.say(`Column ${column}, row ${row}: input ${at(before)}${unit}${output}${this.data.hu ? "" : " (grey values)"}`);
  }

  say(text) { this.root.querySelector(".reading").textContent = text; }

  save() {
    this.canvas.toBlob(content => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(content);
      link.download = `${this.data.name}_slice${this.loaded.index + 1}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });
  }
}

const clamp = share => Math.min(Math.max(share, 0), 0.999999);

function painted(image, colour) {
  const canvas = new OffscreenCanvas(image.columns, image.rows);
  const context = canvas.getContext("2d"), pixels = context.createImageData(image.columns, image.rows);
  for (let i = 0; i < image.rows * image.columns; i++) {
    const [red, green, blue] = colour(image.values, i);
    pixels.data[4 * i] = red;
    pixels.data[4 * i + 1] = green;
    pixels.data[4 * i + 2] = blue;
    pixels.data[4 * i + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function level(image, row, column) {
  const at = (row * image.columns + column) * image.bands;
  if (image.bands === 1) return image.values[at];
  return 0.299 * image.values[at] + 0.587 * image.values[at + 1] + 0.114 * image.values[at + 2];
}

// bilinear, at shares of height and width
function between(image, down, across) {
  const y = Math.min(Math.max(down * image.rows - 0.5, 0), image.rows - 1);
  const x = Math.min(Math.max(across * image.columns - 0.5, 0), image.columns - 1);
  const top = Math.floor(y), left = Math.floor(x);
  const bottom = Math.min(top + 1, image.rows - 1), right = Math.min(left + 1, image.columns - 1);
  const upper = level(image, top, left) * (1 - x + left) + level(image, top, right) * (x - left);
  const lower = level(image, bottom, left) * (1 - x + left) + level(image, bottom, right) * (x - left);
  return upper * (1 - y + top) + lower * (y - top);
}

function value(image, down, across) {
  const at = (Math.floor(down * image.rows) * image.columns + Math.floor(across * image.columns)) * image.bands;
  return [...image.values.slice(at, at + image.bands)].map(x => Math.round(x)).join(" ");
}

export default function ({ data, parentElement }) {
  if (!viewers.has(parentElement)) viewers.set(parentElement, new Viewer(parentElement.querySelector(".viewer")));
  viewers.get(parentElement).show(data);
}
