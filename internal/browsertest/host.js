// Runs /program.wasm in the context that the page's address asks for (?in=page, worker or
// sharedworker) and reports over one WebSocket what it writes and how it ends. This one
// file is the page's script and the worker's.
'use strict';

(() => {
  const inPage = typeof document !== 'undefined';
  const wanted = inPage ? new URLSearchParams(location.search).get('in') : 'worker';

  if (inPage && wanted === 'worker') {
    const worker = new Worker('/host.js');
    worker.onerror = (e) => { throw new Error('worker: ' + e.message); };
    return;
  }
  if (inPage && wanted === 'sharedworker') {
    // Kept on the page: a SharedWorker lives as long as a page holds it.
    globalThis.shared = new SharedWorker('/host.js');
    shared.onerror = (e) => { throw new Error('shared worker: ' + e.message); };
    return;
  }
  if (!inPage) importScripts('/wasm_exec.js');

  const STDOUT = 1, STDERR = 2, EXITED = 3, FAILED = 4;
  const channel = new WebSocket(location.origin.replace('http', 'ws') + '/channel');
  const opened = new Promise((resolve) => { channel.onopen = resolve; });
  const send = (kind, bytes) => {
    const message = new Uint8Array(1 + bytes.length);
    message[0] = kind;
    message.set(bytes, 1);
    channel.send(message);
  };
  const sendText = (kind, text) => send(kind, new TextEncoder().encode(text));

  // There are no files, and that is what package os is to say: tests look for some.
  globalThis.fs.constants.O_DIRECTORY = 0x10000;
  for (const call of ['open', 'stat', 'lstat']) {
    globalThis.fs[call] = (...args) => args.at(-1)(Object.assign(new Error('no files here'), { code: 'ENOENT' }));
  }
  globalThis.fs.writeSync = (fd, bytes) => {
    send(fd === 2 ? STDERR : STDOUT, bytes);
    return bytes.length;
  };

  const run = async () => {
    await opened;
    const { argv, env } = await (await fetch('/program.json')).json();
    const go = new Go();
    go.argv = argv;
    go.env = env;
    let code = 0;
    go.exit = (c) => { code = c; };
    const { instance } = await WebAssembly.instantiateStreaming(fetch('/program.wasm'), go.importObject);
    await go.run(instance);
    sendText(EXITED, String(code));
  };
  run().catch((e) => sendText(FAILED, String(e && e.stack || e)));
})();
