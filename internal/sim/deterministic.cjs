// Runs a Go program for js/wasm, `node deterministic.cjs program.wasm arguments…`, with
// randomness and a monotonic clock that are the same each time: one thread, the same turns of
// its goroutines, the same choices in select, the same order of maps. SIM_RUNTIME_SEED gives
// other randomness. Nothing is collected: the collector's workers take turns with the program's
// goroutines, and are woken by timers of the host, which keep no order.
'use strict'
const path = require('path')
const { execFileSync } = require('child_process')

let state = BigInt(process.env.SIM_RUNTIME_SEED || '1')
function next() {
  // splitmix64
  state = (state + 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn
  let z = state
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & 0xffffffffffffffffn
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & 0xffffffffffffffffn
  return Number((z ^ (z >> 31n)) & 0xffn)
}
let now = 0
const define = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
define('crypto', { getRandomValues: bytes => bytes.map((_, i) => (bytes[i] = next())) })
define('performance', { timeOrigin: 0, now: () => (now += 0.001), markResourceTiming() {} })

process.env.GOGC = 'off'

const root = process.env.SIM_GOROOT || execFileSync('go', ['env', 'GOROOT'], { env: { ...process.env, GOOS: '', GOARCH: '' } }).toString().trim()
require(path.join(root, 'lib/wasm/wasm_exec_node.js'))
