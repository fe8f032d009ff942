// Making, counting, emptying and removing a local queue.
import { systemClock } from '../../core/clock.ts'
import type { QueueAdmin, QueueDepth } from '../provider.ts'
import { promote, readState, revive } from './message-store.ts'
import { SQL } from './queue-schema.ts'
import type { SqliteFile } from './sqlite-file.ts'

export class LocalQueueAdmin implements QueueAdmin {
  readonly #file: SqliteFile

  constructor(file: SqliteFile) {
    this.#file = file
  }

  async ensure(): Promise<void> {
    await this.#file.write(file => revive(file), { create: true })
  }

  async depth(): Promise<QueueDepth | undefined> {
    const due = await this.#file.read(file => readState(file).nextCheckMs <= systemClock.now())
    if (due) await this.#file.write(file => promote(file, systemClock.now()), { create: false })
    return this.#file.read(file => {
      const { removed, ready, leased, delayed } = readState(file)
      return removed ? undefined : { ready, leased, delayed, estimated: false }
    })
  }

  async purge(): Promise<void> {
    await this.#empty(false)
  }

  /**
   * Marks the queue as removed and leaves an empty file of a few kilobytes: unlinking would split the world between those
   * who have it open and those who come later, and what the former send would be lost.
   */
  async remove(): Promise<void> {
    await this.#empty(true)
  }

  async #empty(remove: boolean): Promise<void> {
    await this.#file.write(
      file => {
        const removed = remove || readState(file).removed
        file.exec(SQL.purge)
        file.prepare(SQL.empty).run(removed ? 1 : 0)
      },
      { create: false },
    )
    this.#file.shrink()
  }
}
