// Browsers refuse workers to pages opened as files: there, the search worker runs in a hidden frame instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inside = frame.contentWindow;
      // A worker loads further scripts at once and in order; a frame answers with a promise of the same.
      inside.importScripts = (...urls) =>
        urls.reduce((before, one) => before.then(() => load(frame, one, url)), Promise.resolve());
      inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      this.deliver = (data) => inside.dispatchEvent(new MessageEvent("message", { data }));
      this.ready = load(frame, url, location.href);
    }
    postMessage(data) {
      this.ready.then(() => this.deliver(data));
    }
    terminate() {}
  };
  const load = (frame, url, base) =>
    new Promise((done, failed) => {
      const script = frame.contentDocument.createElement("script");
      script.src = new URL(url, new URL(base, location.href)).href;
      script.onload = done;
      script.onerror = failed;
      frame.contentDocument.head.append(script);
    });
}
