/** Most rows of one block; a block that grows beyond is split. */
const maxBlock = 1024;

/**
 * An ordered list in which rows are taken out and put in by position, many times between two
 * readings. It is kept in blocks, so that a thousand moves in a list of a hundred thousand rows
 * touch a thousand blocks and not the list a thousand times.
 */
export class RowList<R> {
  #blocks: R[][] = [];
  #length = 0;

  /** Number of rows. */
  get length(): number {
    return this.#length;
  }

  /** Takes all rows out. */
  clear(): void {
    this.#blocks = [];
    this.#length = 0;
  }

  /** Returns the row at a position. */
  at(position: number): R {
    const [block, offset] = this.#find(position, this.#length - 1);
    return block[offset] as R;
  }

  /** Puts another row in the place of the one at a position. */
  replace(position: number, row: R): void {
    const [block, offset] = this.#find(position, this.#length - 1);
    block[offset] = row;
  }

  /** Takes the row at a position out, and returns it. */
  remove(position: number): R {
    const [block, offset, index] = this.#find(position, this.#length - 1);
    const row = block[offset] as R;
    block.splice(offset, 1);
    if (block.length === 0) this.#blocks.splice(index, 1);
    this.#length--;
    return row;
  }

  /** Puts a row in, so that it has the given position. */
  insert(position: number, row: R): void {
    if (this.#blocks.length === 0) this.#blocks.push([]);
    const [block, offset, index] = this.#find(position, this.#length);
    if (offset === block.length) block.push(row);
    else block.splice(offset, 0, row);
    if (block.length > maxBlock) this.#blocks.splice(index + 1, 0, block.splice(maxBlock >> 1));
    this.#length++;
  }

  /** Returns all rows in order, as a new array; concat copies blocks, where flat would copy row by row. */
  toArray(): R[] {
    return ([] as R[]).concat(...this.#blocks);
  }

  /** Returns the block that holds a position, the offset in it, and the block's own index. */
  #find(position: number, last: number): [block: R[], offset: number, index: number] {
    if (!(position >= 0 && position <= last)) {
      throw new RangeError(`@ankurah-go/client: position ${position} in a list of ${this.#length}`);
    }
    // A list is mostly filled from its start to its end.
    const tail = this.#blocks.length - 1;
    const end = this.#blocks[tail] as R[];
    let offset = position - this.#length + end.length;
    if (offset >= 0) return [end, offset, tail];
    offset = position;
    for (let index = 0; ; index++) {
      const block = this.#blocks[index] as R[];
      if (offset < block.length) return [block, offset, index];
      offset -= block.length;
    }
  }
}
