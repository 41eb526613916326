// Sends files straight to the disk of the server, whose name for them is all that the page is told.
const uploaders = new WeakMap();

class Uploader {
  constructor(root) {
    this.root = root;
    this.input = root.querySelector("input");
    const drop = root.querySelector(".drop");
    this.input.addEventListener("change", () => this.send([...this.input.files]));
    drop.addEventListener("dragover", event => { event.preventDefault(); drop.classList.add("over"); });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", event => {
      event.preventDefault();
      drop.classList.remove("over");
      this.send([...event.dataTransfer.files]);
    });
  }

  update({ data, setTriggerValue }) {
    Object.assign(this, { data, setTriggerValue });
    this.input.multiple = data.multiple;
    this.root.querySelector(".title").textContent = data.label;
    this.root.querySelector(".kinds").textContent = data.kinds;
  }

  say(text) { this.root.querySelector(".status").textContent = text; }

  send(files) {
    if (!files.length) return;
    const size = files.reduce((sum, file) => sum + file.size, 0);
    if (size > this.data.largest) {
      this.say(`${(size / 1e6).toFixed(0)} MB are more than the ${(this.data.largest / 1e6).toFixed(0)} MB that can be taken.`);
      return;
    }
    const form = new FormData();
    for (const file of files) form.append("file", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", this.data.url);
    request.upload.onprogress = event => this.say(`Sending: ${Math.round((100 * event.loaded) / event.total)} %`);
    request.onerror = () => this.say("The server cannot be reached; try again.");
    request.onload = () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* said below */ }
      this.input.value = "";
      if (request.status !== 200) { this.say(answer.detail ?? "The server did not take it; try again."); return; }
      this.say(files.length === 1 ? "1 file was sent." : `${files.length} files were sent.`);
      this.setTriggerValue("uploaded", answer.upload);
    };
    request.send(form);
  }
}

export default function (component) {
  const { parentElement } = component;
  if (!uploaders.has(parentElement)) uploaders.set(parentElement, new Uploader(parentElement.querySelector(".uploader")));
  uploaders.get(parentElement).update(component);
}
