import { ClientError } from './errors.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const digits = new Map<string, number>();
for (const [value, digit] of [...alphabet].entries()) {
  digits.set(digit, value);
  digits.set(digit.toLowerCase(), value);
}

const idBytes = 16;
const idChars = 26;

/** Returns the 26-character text of the 16 bytes at `offset`. */
export function ulidText(bytes: Uint8Array, offset: number): string {
  // 128 bits in groups of five, the first of which has only three: as if two zero bits preceded.
  let text = '';
  let held = 0;
  let bits = 2;
  for (let i = offset; i < offset + idBytes; i++) {
    held = ((held << 8) | (bytes[i] ?? 0)) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(held >> bits) & 31];
    }
  }
  return text;
}

/** Reads the text form of an id into `target` at `offset`. */
export function ulidBytes(text: string, target: Uint8Array, offset: number): void {
  let held = 0;
  let bits = -2;
  let at = offset;
  const valid = text.length === idChars && text.charCodeAt(0) <= 0x37;
  for (let i = 0; valid && i < idChars; i++) {
    const digit = digits.get(text.charAt(i));
    if (digit === undefined) break;
    held = ((held << 5) | digit) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      target[at++] = (held >> bits) & 255;
    }
  }
  if (at !== offset + idBytes) {
    throw new ClientError('invalid', `not an entity id: ${JSON.stringify(text.slice(0, 40))}`);
  }
}
