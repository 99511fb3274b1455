import { assert } from './assert.ts';
import { ulidBytes, ulidText } from './ulid.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Longest text that is converted character by character, which is faster than the codecs. */
const shortText = 40;

/** Appends MessagePack items to a growing buffer, each in its shortest form. */
export class Writer {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }

  /** Returns what was written and begins anew; the caller owns the result and its buffer. */
  take(): Uint8Array<ArrayBuffer> {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }

  /** Forgets what was written after the first `length` bytes. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** What was written, as a view that the next write invalidates. */
  peek(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** Appends items that another writer wrote. */
  raw(items: Uint8Array): void {
    this.#reserve(items.length);
    this.#bytes.set(items, this.#length);
    this.#length += items.length;
  }

  nil(): void {
    this.byte(0xc0);
  }

  bool(value: boolean): void {
    this.byte(value ? 0xc3 : 0xc2);
  }

  /** Appends an integer within JavaScript's safe range. */
  int(value: number): void {
    if (value >= 0) this.#unsigned(value);
    else this.#negative(value);
  }

  /** Appends an integer that fits in 64 signed bits. */
  bigint(value: bigint): void {
    if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
      this.int(Number(value));
      return;
    }
    this.#reserve(9);
    this.#bytes[this.#length] = value < 0n ? 0xd3 : 0xcf;
    this.#view.setBigInt64(this.#length + 1, value);
    this.#length += 9;
  }

  float(value: number): void {
    this.#reserve(9);
    this.#bytes[this.#length] = 0xcb;
    this.#view.setFloat64(this.#length + 1, value);
    this.#length += 9;
  }

  string(value: string): void {
    if (value.length <= shortText && this.#ascii(value)) return;
    this.#reserve(5 + 3 * value.length);
    // The header is as long as the text needs, which is known only afterwards.
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(this.#length + 5));
    const body = this.#length + 5;
    if (written < 32) this.byte(0xa0 | written);
    else this.#sized(written, 0xd9, 0xda, 0xdb);
    this.#bytes.copyWithin(this.#length, body, body + written);
    this.#length += written;
  }

  bytes(value: Uint8Array): void {
    this.#sized(value.length, 0xc4, 0xc5, 0xc6);
    this.raw(value);
  }

  /** Appends the 16 bytes of an id. */
  ulid(id: string): void {
    this.#reserve(18);
    ulidBytes(id, this.#bytes, this.#length + 2);
    this.#bytes[this.#length] = 0xc4;
    this.#bytes[this.#length + 1] = 16;
    this.#length += 18;
  }

  array(length: number): void {
    if (length < 16) this.byte(0x90 | length);
    else this.#sized(length, undefined, 0xdc, 0xdd);
  }

  map(length: number): void {
    if (length < 16) this.byte(0x80 | length);
    else this.#sized(length, undefined, 0xde, 0xdf);
  }

  ext(type: number, data: Uint8Array): void {
    const fixed = [1, 2, 4, 8, 16].indexOf(data.length);
    if (fixed >= 0) this.byte(0xd4 + fixed);
    else this.#sized(data.length, 0xc7, 0xc8, 0xc9);
    this.byte(type);
    this.raw(data);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  /** Appends a short text of ASCII characters only, or nothing. */
  #ascii(value: string): boolean {
    this.#reserve(2 + value.length);
    const body = this.#length + (value.length < 32 ? 1 : 2);
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      this.#bytes[body + i] = code;
    }
    if (value.length < 32) {
      this.#bytes[this.#length] = 0xa0 | value.length;
    } else {
      this.#bytes[this.#length] = 0xd9;
      this.#bytes[this.#length + 1] = value.length;
    }
    this.#length = body + value.length;
    return true;
  }

  #unsigned(value: number): void {
    if (value < 0x80) {
      this.byte(value);
    } else if (value <= 0xffff_ffff) {
      this.#sized(value, 0xcc, 0xcd, 0xce);
    } else {
      this.#wide(0xcf, value);
    }
  }

  #negative(value: number): void {
    this.#reserve(5);
    if (value >= -32) {
      this.#bytes[this.#length++] = value & 0xff;
    } else if (value >= -0x80) {
      this.#bytes[this.#length++] = 0xd0;
      this.#bytes[this.#length++] = value & 0xff;
    } else if (value >= -0x8000) {
      this.#bytes[this.#length] = 0xd1;
      this.#view.setInt16(this.#length + 1, value);
      this.#length += 3;
    } else if (value >= -0x8000_0000) {
      this.#bytes[this.#length] = 0xd2;
      this.#view.setInt32(this.#length + 1, value);
      this.#length += 5;
    } else {
      this.#wide(0xd3, value);
    }
  }

  #wide(code: number, value: number): void {
    this.#reserve(9);
    this.#bytes[this.#length] = code;
    this.#view.setInt32(this.#length + 1, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(this.#length + 5, value >>> 0);
    this.#length += 9;
  }

  /** Appends a code with the shortest of 8, 16 and 32 bits that hold `size`. */
  #sized(size: number, one: number | undefined, two: number, four: number): void {
    this.#reserve(5);
    if (one !== undefined && size <= 0xff) {
      this.#bytes[this.#length] = one;
      this.#bytes[this.#length + 1] = size;
      this.#length += 2;
    } else if (size <= 0xffff) {
      this.#bytes[this.#length] = two;
      this.#view.setUint16(this.#length + 1, size);
      this.#length += 3;
    } else {
      this.#bytes[this.#length] = four;
      this.#view.setUint32(this.#length + 1, size);
      this.#length += 5;
    }
  }
}

/**
 * Reads MessagePack items of a frame that the node of this package wrote. Input that is malformed
 * is a defect, and throws.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Whether there is more to read. */
  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** The first byte of the next item. */
  get code(): number {
    return this.#view.getUint8(this.#at);
  }

  byte(): number {
    return this.#view.getUint8(this.#at++);
  }

  /** Reads nil if it is next, and says whether it was. */
  nil(): boolean {
    if (this.code !== 0xc0) return false;
    this.#at++;
    return true;
  }

  bool(): boolean {
    const code = this.byte();
    assert(code === 0xc2 || code === 0xc3, 'boolean expected');
    return code === 0xc3;
  }

  /** Reads a number of either kind; an integer beyond the safe range is rounded. */
  number(): number {
    const code = this.byte();
    if (code < 0x80) return code;
    if (code >= 0xe0) return code - 0x100;
    const at = this.#at;
    switch (code) {
      case 0xcb:
        this.#at += 8;
        return this.#view.getFloat64(at);
      case 0xcc:
        this.#at += 1;
        return this.#view.getUint8(at);
      case 0xcd:
        this.#at += 2;
        return this.#view.getUint16(at);
      case 0xce:
        this.#at += 4;
        return this.#view.getUint32(at);
      case 0xcf:
        this.#at += 8;
        return this.#view.getUint32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4);
      case 0xd0:
        this.#at += 1;
        return this.#view.getInt8(at);
      case 0xd1:
        this.#at += 2;
        return this.#view.getInt16(at);
      case 0xd2:
        this.#at += 4;
        return this.#view.getInt32(at);
      case 0xd3:
        this.#at += 8;
        return this.#view.getInt32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4);
    }
    throw new Error('@ankurah-go/client: number expected');
  }

  /** Reads an integer exactly. */
  bigint(): bigint {
    const code = this.code;
    if (code !== 0xcf && code !== 0xd3) return BigInt(this.number());
    this.#at += 9;
    return code === 0xcf ? this.#view.getBigUint64(this.#at - 8) : this.#view.getBigInt64(this.#at - 8);
  }

  string(): string {
    const code = this.byte();
    const length = (code & 0xe0) === 0xa0 ? code & 0x1f : this.#size(code - 0xd9);
    const from = this.#take(length);
    if (length <= shortText) {
      const text = this.#ascii(from, length);
      if (text !== undefined) return text;
    }
    return decoder.decode(this.#bytes.subarray(from, from + length));
  }

  /** Reads a byte string, as a copy. */
  bytes(): Uint8Array {
    const length = this.#size(this.byte() - 0xc4);
    const from = this.#take(length);
    return this.#bytes.slice(from, from + length);
  }

  /** Reads 16 bytes, plain or as an extension, as the text of an id. */
  ulid(): string {
    const code = this.byte();
    const extension = code === 0xd8;
    const length = extension ? 16 : this.#size(code - 0xc4);
    assert(length === 16, 'id expected');
    return ulidText(this.#bytes, this.#take(extension ? 17 : 16) + (extension ? 1 : 0));
  }

  /** Reads the header of an extension and returns its type; what it holds is read next. */
  ext(): number {
    const code = this.byte();
    if (code < 0xd4 || code > 0xd8) this.#size(code - 0xc7);
    return this.byte();
  }

  /** Reads the header of an array; its items are read next. */
  array(): number {
    const code = this.byte();
    return (code & 0xf0) === 0x90 ? code & 0x0f : this.#size(code - 0xdb);
  }

  /** Reads the header of a map; its keys and values are read next. */
  map(): number {
    const code = this.byte();
    return (code & 0xf0) === 0x80 ? code & 0x0f : this.#size(code - 0xdd);
  }

  /** Passes over so many items, and returns a reader of them for later. */
  later(items: number): Reader {
    const from = this.#at;
    for (; items > 0; items--) this.skip();
    return new Reader(this.#bytes.subarray(from, this.#at));
  }

  /** Passes over the next item. */
  skip(): void {
    for (let items = 1; items > 0; items--) {
      const code = this.code;
      if ((code & 0xf0) === 0x80 || code === 0xde || code === 0xdf) {
        items += 2 * this.map();
      } else if ((code & 0xf0) === 0x90 || code === 0xdc || code === 0xdd) {
        items += this.array();
      } else {
        this.#skipScalar(code);
      }
    }
  }

  #skipScalar(code: number): void {
    if (code === 0xc0 || code === 0xc2 || code === 0xc3) {
      this.#at++;
    } else if ((code & 0xe0) === 0xa0 || (code >= 0xd9 && code <= 0xdb)) {
      this.#at++;
      this.#take((code & 0xe0) === 0xa0 ? code & 0x1f : this.#size(code - 0xd9));
    } else if (code >= 0xc4 && code <= 0xc6) {
      this.#at++;
      this.#take(this.#size(code - 0xc4));
    } else if (code >= 0xd4 && code <= 0xd8) {
      this.#take(2 + (1 << (code - 0xd4)));
    } else if (code >= 0xc7 && code <= 0xc9) {
      this.#at++;
      this.#take(1 + this.#size(code - 0xc7));
    } else {
      this.number();
    }
  }

  /** Reads a length of 8, 16 or 32 bits, for a width of 0, 1 or 2. */
  #size(width: number): number {
    const at = this.#at;
    switch (width) {
      case 0:
        this.#at += 1;
        return this.#view.getUint8(at);
      case 1:
        this.#at += 2;
        return this.#view.getUint16(at);
      case 2:
        this.#at += 4;
        return this.#view.getUint32(at);
    }
    throw new Error('@ankurah-go/client: item of another type expected');
  }

  /** Passes over `length` bytes and returns where they begin. */
  #take(length: number): number {
    const from = this.#at;
    assert(length <= this.#bytes.length - from, 'frame ends inside an item');
    this.#at += length;
    return from;
  }

  /** Returns the text of ASCII bytes, or undefined if there are others. */
  #ascii(from: number, length: number): string | undefined {
    let text = '';
    for (let i = from; i < from + length; i++) {
      const code = this.#bytes[i] ?? 0;
      if (code >= 0x80) return undefined;
      text += String.fromCharCode(code);
    }
    return text;
  }
}
