// What is said when Compute Engine refuses or cannot be reached: one sentence, with what to do next.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { UserError } from '../../../core/errors.ts'
import { GcpPool } from '../../../infra/gcp/pool.ts'
import { vmNames } from '../../../infra/gcp/vm-labels.ts'
import { startGce } from '../../support/gce-fake.ts'
import { gce, JOB, plan, poolOn, settingsOn } from './gce-pool.ts'

const LIMIT_MS = 60_000

describe('gcp: refusals', { timeout: LIMIT_MS }, () => {
  it('say that the job is not deployed', async context => {
    const fake = await gce(context, { jobIds: [] })
    await assert.rejects(
      poolOn(fake).launch(plan()),
      sentence(
        /^Job "job-1" has no stack in project test-project: .*rmscr-job-1\. Deploy it first \(cloud-tasks deploy\)\.$/,
      ),
    )
  })

  it('say that there is no such project', async context => {
    const fake = await gce(context)
    const pool = new GcpPool({ ...settingsOn(fake), projectId: 'no-such-project' }, { jobId: JOB })
    await assert.rejects(
      pool.list(),
      sentence(/in project no-such-project failed: there is no such project.*Check project_id/),
    )
    await assert.rejects(pool.launch(plan()), sentence(/there is no such project/))
  })

  it('say that there is no such region', async context => {
    const fake = await gce(context)
    const pool = new GcpPool({ ...settingsOn(fake), region: 'us-nowhere1' }, { jobId: JOB })
    await assert.rejects(pool.list(), sentence(/it is not there \(.*us-nowhere1.*region and zone/))
  })

  it('say that the API is not enabled, that a right is missing, that there is no billing', async context => {
    const fake = await gce(context)
    const cases = [
      {
        status: 403,
        reason: 'accessNotConfigured',
        message: 'Compute Engine API has not been used in project 1 before',
        says: /the API is not enabled.*gcloud services enable/,
      },
      {
        status: 403,
        reason: 'forbidden',
        message: "Required 'compute.instances.create' permission",
        says: /Google denied it.*compute\.instances\.create.*role/,
      },
      {
        status: 403,
        reason: 'BILLING_DISABLED',
        message: 'This API method requires billing to be enabled',
        says: /no active billing account/,
      },
    ]
    for (const { says, ...answer } of cases) {
      fake.fail({ path: /bulkInsert/, answer, times: 1 })
      await assert.rejects(poolOn(fake).launch(plan()), sentence(says))
    }
    assert.deepEqual(fake.vms.list(), [])
  })

  it('come mid-run when credentials are revoked, and lose nothing: the next look with good ones finds all', async context => {
    const tokens = new Set(['good'])
    const fake = await gce(context, { tokens })
    const pool = new GcpPool(settingsOn(fake, { GOOGLE_OAUTH_ACCESS_TOKEN: 'good' }), { jobId: JOB }, { lookMs: 5 })
    const { launched } = await pool.launch(plan({ vmCount: 2 }))
    tokens.clear()
    await assert.rejects(pool.list(), sentence(/Google does not accept the credentials.*Check credentials_file/))
    await assert.rejects(pool.terminate(launched.map(vm => vm.id)), sentence(/does not accept the credentials/))
    tokens.add('good')
    assert.equal((await pool.list()).length, 2)
  })

  it('say that nobody answers, and where to look', async () => {
    const gone = await startGce()
    await gone.close()
    const pool = new GcpPool(settingsOn(gone), { jobId: JOB }, { pauseMs: 1 })
    await assert.rejects(pool.list(), sentence(/the API did not answer.*ECONNREFUSED.*network/))
  })

  it('are not made of what passes alone: throttling, a failing server, a lost answer', async context => {
    const fake = await gce(context)
    const pool = poolOn(fake)
    fake.fail({ path: /aggregated/, answer: { status: 403, reason: 'rateLimitExceeded' }, times: 1 })
    fake.fail({ path: /aggregated/, answer: { status: 429 }, times: 1 })
    fake.fail({ path: /aggregated/, answer: { status: 502 }, times: 1 })
    fake.fail({ path: /aggregated/, answer: 'lose', times: 1 })
    assert.deepEqual(await pool.list(), [])
    fake.fail({ path: /aggregated/, answer: { status: 503 }, times: 100 })
    await assert.rejects(pool.list(), /Google had an internal error.*Try again later/)
  })

  it('say that the names of a launch are taken', async context => {
    const fake = await gce(context)
    const wanted = plan({ token: 'taken' })
    fake.vms.add('us-central1-b', { name: vmNames(JOB, 'taken', '0', 1)[0] })
    const { launched, failures } = await poolOn(fake).launch(wanted)
    assert.deepEqual([launched.length, failures[0]?.reason], [0, 'other'])
    assert.match(failures[0]?.message ?? '', /asked for before/)
  })

  it('say that the address override is no address, and that credentials are missing, broken or of nobody', async context => {
    const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-gcp-'))
    context.after(() => rmSync(folder, { recursive: true }))
    assert.throws(
      () => new GcpPool({ env: { CLOUD_TASKS_GCP_COMPUTE_URL: 'localhost:1' } }, { jobId: JOB }),
      sentence(/CLOUD_TASKS_GCP_COMPUTE_URL is "localhost:1", which is not a URL/),
    )
    // An address that speaks https gets real credentials, or none.
    const env = { CLOUD_TASKS_GCP_COMPUTE_URL: 'https://127.0.0.1:1' }
    const missing = { projectId: 'p', credentialsFile: join(folder, 'none.json'), env }
    await assert.rejects(
      new GcpPool(missing, { jobId: JOB }).list(),
      sentence(/credentials file .*none\.json cannot be read \(ENOENT.*Check credentials_file/),
    )
    const broken = join(folder, 'broken.json')
    const contents = [
      { text: '{', says: /broken\.json is no JSON/ },
      { text: '{}', says: /no file of Google credentials/ },
      { text: '{"type":"service_account"}', says: /has no "client_email"/ },
      { text: '{"type":"gdch_service_account"}', says: /type "gdch_service_account", which cannot be used/ },
      {
        text: JSON.stringify({ type: 'service_account', client_email: 'a@b.c', private_key: 'nonsense' }),
        says: /does not accept the credentials/,
      },
    ]
    for (const { text, says } of contents) {
      writeFileSync(broken, text)
      const pool = new GcpPool({ projectId: 'p', credentialsFile: broken, env }, { jobId: JOB })
      await assert.rejects(pool.list(), sentence(says))
    }
  })
})

function sentence(pattern: RegExp): (error: unknown) => true {
  return error => {
    assert.ok(error instanceof UserError, String(error))
    assert.match(error.message, pattern)
    assert.doesNotMatch(error.message, /\n/)
    return true
  }
}
