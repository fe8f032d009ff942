// Preloaded into a manager with --import: kills it at the n-th of its crash points (CRASH_AT), and writes each point it
// passes to a file (CRASH_LOG). Points are every database commit, and the begin and the end of every call of the provider
// that changes something. No product code knows of this.
import { appendFileSync } from 'node:fs'
import { DatabaseSync, StatementSync } from 'node:sqlite'
import { LocalPool } from '../../infra/local/pool.ts'
import { LocalQueue } from '../../infra/local/queue.ts'
import { LocalQueueAdmin } from '../../infra/local/queue-admin.ts'
import { LocalStack } from '../../infra/local/stack.ts'

const crashAt = Number(process.env.CRASH_AT ?? Number.POSITIVE_INFINITY)
const log = process.env.CRASH_LOG
let passed = 0

function point(name: string): void {
  passed += 1
  if (log !== undefined) appendFileSync(log, `${name}\n`)
  if (passed === crashAt) process.kill(process.pid, 'SIGKILL')
}

const databases = new WeakMap<StatementSync, DatabaseSync>()
const { exec, prepare } = DatabaseSync.prototype
const { run } = StatementSync.prototype

DatabaseSync.prototype.exec = function (this: DatabaseSync, sql) {
  const inside = this.isTransaction
  exec.call(this, sql)
  if (inside && !this.isTransaction && lasting(this)) point(`commit: ${sql}`)
}

DatabaseSync.prototype.prepare = function (this: DatabaseSync, ...args: Parameters<typeof prepare>) {
  const statement = prepare.apply(this, args)
  databases.set(statement, this)
  return statement
}

Object.defineProperty(StatementSync.prototype, 'run', {
  value(this: StatementSync, ...values: Parameters<typeof run>) {
    const result = run.apply(this, values)
    const commits = /^\s*(insert|update|delete|commit)/i.test(this.sourceSQL)
    const database = databases.get(this)
    if (commits && database?.isTransaction === false && lasting(database)) {
      point(`commit: ${this.sourceSQL.slice(0, 40)}`)
    }
    return result
  },
})

/** What is in memory alone ends with the process. */
function lasting(database: DatabaseSync): boolean {
  return database.location() !== null
}

type Method = (...args: unknown[]) => Promise<unknown>

/** `counts`: what of its answers changed anything; an empty poll is no point. */
function wrap(owner: object, name: string, counts: (answer: unknown) => boolean = () => true): void {
  const prototype = owner as Record<string, Method>
  const call = prototype[name]
  if (call === undefined) throw new Error(`There is no ${name} to wrap.`)
  prototype[name] = async function (this: unknown, ...args) {
    const answer = await call.apply(this, args)
    if (counts(answer)) point(`after ${name}`)
    return answer
  }
}

function wrapBegin(owner: object, name: string): void {
  const prototype = owner as Record<string, Method>
  const call = prototype[name]
  if (call === undefined) throw new Error(`There is no ${name} to wrap.`)
  prototype[name] = function (this: unknown, ...args) {
    point(`before ${name}`)
    return call.apply(this, args)
  }
}

const some = (answer: unknown) => Array.isArray(answer) && answer.length > 0
for (const name of ['launch', 'terminate'] as const) {
  wrap(LocalPool.prototype, name)
  wrapBegin(LocalPool.prototype, name)
}
wrap(LocalPool.prototype, 'list', some)
wrap(LocalQueue.prototype, 'receive', some)
for (const name of ['send', 'ack'] as const) {
  wrap(LocalQueue.prototype, name)
  wrapBegin(LocalQueue.prototype, name)
}
for (const name of ['ensure', 'purge', 'remove'] as const) wrap(LocalQueueAdmin.prototype, name)
wrap(LocalStack.prototype, 'up')
