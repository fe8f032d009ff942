// A trouble that lasts is said at once, and then now and again.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { calmLog } from '../../manager/cli/calm-log.ts'

function bench() {
  let nowMs = 0
  const lines: string[] = []
  const log = calmLog({ log: (level, text) => void lines.push(`${level} ${text}`) }, { now: () => nowMs })
  return {
    log,
    pass: (minutes: number) => {
      nowMs += minutes * 60_000
    },
    said: () => lines.splice(0),
  }
}

describe('the log of a job', () => {
  it('says the same trouble once in ten minutes, and in between only to those who want all', () => {
    const { log, pass, said } = bench()
    for (let look = 0; look < 3; look++) log('ERROR', 'no credentials')
    assert.deepEqual(said(), ['ERROR no credentials', 'DEBUG no credentials', 'DEBUG no credentials'])
    pass(9)
    log('ERROR', 'no credentials')
    pass(1)
    log('ERROR', 'no credentials')
    assert.deepEqual(said(), ['DEBUG no credentials', 'ERROR no credentials'])
  })

  it('lets other troubles through, and all that is none', () => {
    const { log, said } = bench()
    for (const text of ['one', 'two', 'one']) log('WARNING', text)
    for (let look = 0; look < 2; look++) log('INFO', 'a VM was started')
    assert.deepEqual(said(), [
      'WARNING one',
      'WARNING two',
      'DEBUG one',
      'INFO a VM was started',
      'INFO a VM was started',
    ])
  })

  it('forgets the oldest of very many', () => {
    const { log, said } = bench()
    for (let number = 0; number <= 1000; number++) log('WARNING', `task ${number}`)
    said()
    log('WARNING', 'task 1000')
    log('WARNING', 'task 0')
    assert.deepEqual(said(), ['DEBUG task 1000', 'WARNING task 0'])
  })
})
