// Runs samples through a network in WebAssembly: node run.mjs NETWORK.wasm SAMPLES TRACE
import { readFileSync, writeFileSync } from "node:fs";

const [, , module, samplesFile, traceFile] = process.argv;
const imports = { env: { exp: Math.exp } };
const { instance } = await WebAssembly.instantiate(readFileSync(module), imports);
const network = instance.exports;
const memory = new Uint8Array(network.memory.buffer);
const samples = readFileSync(samplesFile);
const inputBytes = network.srnn_input_bytes(), recordBytes = network.srnn_record_bytes();
const inputs = network.srnn_inputs(), record = network.srnn_record();

const count = samples.readUInt32LE(0);
let at = 4, steps = 0;
const lengths = [];
for (let n = 0; n < count; n++) {
  lengths.push([samples.readUInt32LE(at), at + 4]);
  at += 4 + lengths[n][0] * inputBytes;
  steps += lengths[n][0];
}
const trace = new Uint8Array(steps * recordBytes);
let to = 0;
for (const [length, start] of lengths) {
  network.srnn_reset();
  for (let step = 0; step < length; step++) {
    const from = start + step * inputBytes;
    memory.set(samples.subarray(from, from + inputBytes), inputs);
    network.srnn_step();
    trace.set(memory.subarray(record, record + recordBytes), to);
    to += recordBytes;
  }
}
writeFileSync(traceFile, trace);
console.log(`ran ${steps} steps`);
