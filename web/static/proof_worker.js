// Finds the counter that an ALTCHA challenge (proof of work v2, SHA-256) asks for. Plain arithmetic instead of WebCrypto,
// which plain HTTP does not have, and which takes longer to be called than such a short text to be hashed.
"use strict";

const K = new Uint32Array(64), START = new Uint32Array(8), schedule = new Uint32Array(64);

(function constants() { // FIPS 180-4 §4.2.2 and §5.3.3: fractions of the roots of the first primes
  const fraction = (x) => Math.floor((x - Math.floor(x)) * 2 ** 32);
  for (let n = 2, found = 0; found < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) { prime = false; break; }
    if (!prime) continue;
    if (found < 8) START[found] = fraction(Math.sqrt(n));
    K[found++] = fraction(Math.cbrt(n));
  }
})();

const turned = (x, n) => (x >>> n) | (x << (32 - n));

/** Hashes `count` words (at most 13, so one block) of `words` into the first eight of `words`. */
function hash(words, count) {
  const w = schedule;
  for (let i = 0; i < 16; i++) w[i] = i < count ? words[i] : 0;
  w[count] = 0x80000000;
  w[15] = count * 32;
  for (let i = 16; i < 64; i++) {
    const p = w[i - 15], q = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (turned(p, 7) ^ turned(p, 18) ^ (p >>> 3)) + (turned(q, 17) ^ turned(q, 19) ^ (q >>> 10));
  }
  let [a, b, c, d, e, f, g, h] = START;
  for (let i = 0; i < 64; i++) {
    const one = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
    const two = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
  }
  const out = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i++) words[i] = out[i] + START[i];
}

const hex = (words, count) => Array.from(words.subarray(0, count), (word) => word.toString(16).padStart(8, "0")).join("");
const wordsOf = (text) => text.match(/.{8}/g).map((part) => parseInt(part, 16));

/** {counter, derivedKey} */
function solve(challenge) {
  const begin = [...wordsOf(challenge.salt), ...wordsOf(challenge.nonce)];
  const length = begin.length + 1, size = challenge.keyLength / 4, words = new Uint32Array(16);
  if (challenge.algorithm !== "SHA-256" || length > 13) throw new Error("unknown kind of challenge");
  for (let counter = 0; counter < 2 ** 32; counter++) {
    words.set(begin);
    words[length - 1] = counter;
    hash(words, length);
    for (let round = 1; round < challenge.cost; round++) hash(words, 8);
    if (hex(words, 1).startsWith(challenge.keyPrefix)) return { counter, derivedKey: hex(words, size) };
  }
  throw new Error("no solution");
}

self.onmessage = (event) => self.postMessage(solve(event.data));
