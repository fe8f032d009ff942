// All task ids in memory, so that a part of an id is found among a million in some hundredths of a second.

const CHUNK_BYTES = 1 << 20 // no id is in two chunks; nothing is copied when the next one is begun
const MOST_CHUNKS = 48 // then all of it is given up: memory is worth more than this kind of search
const SEPARATOR = 0 // no id contains it

export class TaskIds {
  #chunks: Buffer[] = []
  /** Where the id of a row begins, counted over all chunks. */
  #begins = new Uint32Array(0)
  #used = 0
  #rows = 1
  #full = false

  /** False when there are too many: then `search` cannot be asked. */
  get complete(): boolean {
    return !this.#full
  }

  reserve(rowCount: number): void {
    if (this.#full || rowCount + 1 < this.#begins.length) return
    const begins = new Uint32Array(Math.ceil(rowCount * 1.3) + 1024)
    begins.set(this.#begins)
    this.#begins = begins
  }

  /** Rows must come in ascending order. */
  add(row: number, taskId: string): void {
    if (this.#full) return
    const most = taskId.length * 3 + 1
    let at = this.#used % CHUNK_BYTES
    if (this.#chunks.length === 0 || at + most > CHUNK_BYTES || (at === 0 && this.#used > 0)) {
      if (most > CHUNK_BYTES || this.#chunks.length === MOST_CHUNKS) {
        this.#giveUp()
        return
      }
      this.#used = this.#chunks.length * CHUNK_BYTES
      this.#chunks.push(Buffer.alloc(CHUNK_BYTES))
      at = 0
    }
    const chunk = this.#chunks.at(-1)
    this.reserve(row)
    while (this.#rows < row) this.#begins[this.#rows++] = this.#used // rows that are not there
    this.#begins[row] = this.#used
    const length = chunk?.write(taskId, at) ?? 0
    if (chunk !== undefined) chunk[at + length] = SEPARATOR
    this.#used += length + 1
    this.#rows = row + 1
  }

  /** A 1 for each row whose id contains `text`. */
  search(text: string, rowCount: number): Uint8Array {
    const found = new Uint8Array(rowCount)
    const needle = Buffer.from(text)
    if (needle.length === 0) return found.fill(1)
    let row = 1
    for (const [index, chunk] of this.#chunks.entries()) row = this.#searchChunk(chunk, { index, needle, row, found })
    return found
  }

  #searchChunk(chunk: Buffer, { index, needle, row, found }: ChunkSearch): number {
    const [begins, length, first] = [this.#begins, needle.length, needle[0]]
    const base = index * CHUNK_BYTES
    const last = Math.min(CHUNK_BYTES, this.#used - base) - length
    let current = row
    for (let at = 0; at <= last; at++) {
      if (chunk[at] !== first) continue
      let same = 1
      while (same < length && chunk[at + same] === needle[same]) same++
      if (same < length) continue
      while (current + 1 < this.#rows && (begins[current + 1] ?? 0) <= base + at) current++
      found[current] = 1
      const next = current + 1 < this.#rows ? (begins[current + 1] ?? 0) - base : last + 1
      at = Math.max(at, next - 1)
    }
    return current
  }

  #giveUp(): void {
    this.#full = true
    this.#chunks = []
    this.#begins = new Uint32Array(0)
  }
}

interface ChunkSearch {
  readonly index: number
  readonly needle: Buffer
  readonly row: number
  readonly found: Uint8Array
}
