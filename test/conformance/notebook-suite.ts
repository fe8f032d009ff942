// What every notebook promises, written against the seam alone.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Notebook } from '../../infra/notebook.ts'
import type { Provider } from '../../infra/provider.ts'

export interface NotebookSubject {
  /** A new handle on the same cloud, as another process would have. */
  open(): Provider
  /** A job never used before, whose stack is up. */
  jobId(): Promise<string>
  close(): Promise<void>
}

const LIMIT_MS = 120_000
const LONG_TEXT = `{"text":"${'ünïcödé \\u0001 '.repeat(20_000)}"}` // more than any store takes uncompressed in one field

export function notebookConformance(name: string, openSubject: () => Promise<NotebookSubject>): void {
  describe(`${name}: notebook`, { timeout: LIMIT_MS }, () => {
    let subject: NotebookSubject
    const providers: Provider[] = []
    before(async () => {
      subject = await openSubject()
    })
    after(async () => {
      for (const provider of providers) await provider.close()
      await subject.close()
    })
    const open = (jobId: string): Notebook => {
      const provider = subject.open()
      providers.push(provider)
      return provider.openNotebook({ jobId })
    }

    it('is empty at first, and then holds what was written last', async () => {
      const jobId = await subject.jobId()
      const notebook = open(jobId)
      assert.equal(await notebook.read(), undefined)
      assert.equal(await notebook.write('one', undefined), true)
      const note = await open(jobId).read()
      assert.equal(note?.text, 'one')
      assert.equal(await notebook.write(LONG_TEXT, note?.version), true)
      assert.equal((await open(jobId).read())?.text, LONG_TEXT)
    })

    it('refuses what was written on the ground of an old version, and keeps the new one', async () => {
      const jobId = await subject.jobId()
      const [mine, theirs] = [open(jobId), open(jobId)]
      assert.equal(await mine.write('first', undefined), true)
      assert.equal(await theirs.write('also first', undefined), false)
      const read = await theirs.read()
      assert.equal(await mine.write('second', read?.version), true)
      assert.equal(await theirs.write('late', read?.version), false)
      assert.equal((await mine.read())?.text, 'second')
    })

    it('lets exactly one of many at once win', async () => {
      const jobId = await subject.jobId()
      const wins = await Promise.all(Array.from({ length: 8 }, (_, index) => open(jobId).write(`${index}`, undefined)))
      assert.equal(wins.filter(Boolean).length, 1)
      assert.equal((await open(jobId).read())?.text, String(wins.indexOf(true)))
    })

    it("keeps jobs' notes apart", async () => {
      const [one, other] = [await subject.jobId(), await subject.jobId()]
      await open(one).write('one', undefined)
      assert.equal(await open(other).read(), undefined)
    })
  })
}
