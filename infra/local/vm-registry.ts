// The list of all local VMs, in one SQLite file: what was launched, what runs, what it costs and how it ended.
import { join } from 'node:path'
import { type VmId, vmId } from '../../core/ids.ts'
import { SqliteFile, type SqliteFormat } from './sqlite-file.ts'

export interface VmRow {
  readonly id: VmId
  readonly jobId: string
  readonly token: string
  /** Of its job's VMs, counted from 1: decides its fate together with the seed. */
  readonly ordinal: number
  readonly instanceType: string
  readonly zone: string
  readonly spot: boolean
  readonly vcpuCount: number
  readonly priceUsdPerHour: number
  readonly launchedMs: number
  /** The process that runs the VM; undefined until it has started. */
  readonly host?: { readonly pid: number; readonly identity: string } | undefined
  readonly runningMs?: number | undefined
  /** Why it is about to end. */
  readonly stopReason?: string | undefined
  readonly endedMs?: number | undefined
  readonly endReason?: string | undefined
}

export type NewVm = Omit<VmRow, 'ordinal' | 'host' | 'runningMs' | 'stopReason' | 'endedMs' | 'endReason'>

const FORMAT: SqliteFormat = {
  title: 'VM list',
  version: 1,
  schema: `
    CREATE TABLE IF NOT EXISTS vms (
      id TEXT PRIMARY KEY, job_id TEXT NOT NULL, token TEXT NOT NULL, ordinal INTEGER NOT NULL, instance_type TEXT NOT NULL,
      zone TEXT NOT NULL, spot INTEGER NOT NULL, vcpu_count INTEGER NOT NULL, price_usd_per_hour REAL NOT NULL,
      launched_ms INTEGER NOT NULL, host_pid INTEGER, host_identity TEXT, running_ms INTEGER, stop_reason TEXT,
      ended_ms INTEGER, end_reason TEXT);
    CREATE INDEX IF NOT EXISTS vms_by_job ON vms(job_id, token);
    CREATE INDEX IF NOT EXISTS vms_alive ON vms(ended_ms) WHERE ended_ms IS NULL;`,
  ifDamaged: 'End what runs in the folder "vms" beside it, then delete it.',
}

const COLUMNS = `id, job_id, token, ordinal, instance_type, zone, spot, vcpu_count, price_usd_per_hour, launched_ms,
  host_pid, host_identity, running_ms, stop_reason, ended_ms, end_reason`

export class VmRegistry {
  readonly #file: SqliteFile

  constructor(root: string) {
    this.#file = new SqliteFile(join(root, 'vms.sqlite'), FORMAT)
  }

  /**
   * Adds up to `vms.length` VMs while fewer than `capacity` are alive. A token that was used before adds nothing.
   * Answers all VMs of the token.
   */
  async add(vms: readonly NewVm[], { jobId, token, capacity }: AddOptions): Promise<readonly VmRow[]> {
    const rows = await this.#file.write(
      file => {
        const known = this.#select(file, 'job_id = ? AND token = ?', [jobId, token])
        if (known.length > 0) return known
        const alive = count(file, 'SELECT count(*) FROM vms WHERE ended_ms IS NULL', [])
        let ordinal = count(file, 'SELECT count(*) FROM vms WHERE job_id = ?', [jobId])
        for (const vm of vms.slice(0, Math.max(0, capacity - alive))) {
          file
            .prepare(
              `INSERT INTO vms (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL, NULL, NULL, NULL)`,
            )
            .run(
              vm.id,
              jobId,
              token,
              ++ordinal,
              vm.instanceType,
              vm.zone,
              vm.spot ? 1 : 0,
              vm.vcpuCount,
              vm.priceUsdPerHour,
              vm.launchedMs,
            )
        }
        return this.#select(file, 'job_id = ? AND token = ?', [jobId, token])
      },
      { create: true },
    )
    return rows ?? []
  }

  /** Of one job: alive, or ended since `endedSinceMs`. */
  async ofJob(jobId: string, endedSinceMs: number): Promise<readonly VmRow[]> {
    const where = 'job_id = ? AND (ended_ms IS NULL OR ended_ms >= ?) ORDER BY ordinal'
    return (await this.#file.read(file => this.#select(file, where, [jobId, endedSinceMs]))) ?? []
  }

  /** As `ofJob`, of every job. */
  async ofAll(endedSinceMs: number): Promise<readonly VmRow[]> {
    const where = '(ended_ms IS NULL OR ended_ms >= ?) ORDER BY job_id, ordinal'
    return (await this.#file.read(file => this.#select(file, where, [endedSinceMs]))) ?? []
  }

  async alive(): Promise<readonly VmRow[]> {
    return (await this.#file.read(file => this.#select(file, 'ended_ms IS NULL', []))) ?? []
  }

  async find(id: string): Promise<VmRow | undefined> {
    return (await this.#file.read(file => this.#select(file, 'id = ?', [id])))?.[0]
  }

  /** False if somebody else hosts the VM or it was terminated before it began. */
  async claim(id: string, host: { readonly pid: number; readonly identity: string }): Promise<boolean> {
    const free = 'host_pid IS NULL AND stop_reason IS NULL AND ended_ms IS NULL'
    return this.#update(`host_pid = ?, host_identity = ? WHERE id = ? AND ${free}`, [host.pid, host.identity, id])
  }

  async markRunning(id: string, atMs: number): Promise<boolean> {
    return this.#update('running_ms = ? WHERE id = ? AND ended_ms IS NULL', [atMs, id])
  }

  /** The first reason is the one that stays. */
  async markStopping(id: string, reason: string): Promise<boolean> {
    return this.#update('stop_reason = ? WHERE id = ? AND stop_reason IS NULL AND ended_ms IS NULL', [reason, id])
  }

  /** Once: a VM ends when its last process is gone, and no later finding changes it. */
  async markEnded(id: string, atMs: number, reason: string): Promise<boolean> {
    const change = 'ended_ms = ?, end_reason = coalesce(stop_reason, ?) WHERE id = ? AND ended_ms IS NULL'
    return this.#update(change, [atMs, reason, id])
  }

  close(): void {
    this.#file.close()
  }

  /** False if nothing fitted; also if the list is gone, which somebody deleted with its whole folder. */
  async #update(change: string, values: readonly (string | number)[]): Promise<boolean> {
    const update = (file: SqliteFile) => file.prepare(`UPDATE vms SET ${change}`).run(...values).changes === 1
    return (await this.#file.write(update, { create: false })) ?? false
  }

  #select(file: SqliteFile, where: string, values: readonly (string | number)[]): readonly VmRow[] {
    return file
      .prepare(`SELECT ${COLUMNS} FROM vms WHERE ${where}`)
      .all(...values)
      .map(parseRow)
  }
}

interface AddOptions {
  readonly jobId: string
  readonly token: string
  /** Most VMs alive at once, of all jobs. */
  readonly capacity: number
}

function count(file: SqliteFile, sql: string, values: readonly string[]): number {
  const row: unknown = file.prepare(sql).get(...values)
  return Array.isArray(row) ? Number(row[0]) : 0
}

function parseRow(row: unknown): VmRow {
  if (!Array.isArray(row)) throw new Error('The VM list answered something that is no row.')
  const [id, job, token, ordinal, type, zone, spot, vcpus, price, launched, pid, identity, running, stop, ended, end] =
    row
  return {
    id: vmId(String(id)),
    jobId: String(job),
    token: String(token),
    ordinal: Number(ordinal),
    instanceType: String(type),
    zone: String(zone),
    spot: spot === 1,
    vcpuCount: Number(vcpus),
    priceUsdPerHour: Number(price),
    launchedMs: Number(launched),
    host: pid === null ? undefined : { pid: Number(pid), identity: String(identity) },
    runningMs: running === null ? undefined : Number(running),
    stopReason: stop === null ? undefined : String(stop),
    endedMs: ended === null ? undefined : Number(ended),
    endReason: end === null ? undefined : String(end),
  }
}
