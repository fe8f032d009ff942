// Whose credentials and project are used where nobody names them: those of the VM, by its metadata server.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type GcpApi, GcpConnection, gcpAddress } from '../../../infra/gcp/connection.ts'
import { startGceMetadata } from '../../support/gce-metadata-fake.ts'

const PROGRAM = fileURLToPath(new URL('./tells-credentials.ts', import.meta.url))
const LIMIT_MS = 60_000

describe('gcp: connection', { timeout: LIMIT_MS }, () => {
  it("has a VM's own token and project where nothing else is set", async context => {
    const metadata = await startGceMetadata({ accessToken: 'ya29.of-the-vm', projectId: 'of-the-vm' })
    context.after(() => metadata.close())
    const told = await tell(context, {
      GCE_METADATA_HOST: metadata.address,
      METADATA_SERVER_DETECTION: 'assume-present',
    })
    assert.deepEqual(told, { token: 'ya29.of-the-vm', projectId: 'of-the-vm' })
  })

  it('says in a sentence that there are none', async context => {
    const { token, projectId } = await tell(context, { METADATA_SERVER_DETECTION: 'none' })
    assert.match(token ?? '', /no Google credentials were found.*gcloud auth application-default login/)
    assert.match(projectId ?? '', /The Google Cloud project is not known: set "project_id"/)
  })

  it('takes the project of the credentials file, unless another is named', async context => {
    const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-gcp-'))
    context.after(() => rmSync(folder, { recursive: true }))
    const credentialsFile = join(folder, 'key.json')
    writeFileSync(credentialsFile, JSON.stringify({ type: 'service_account', project_id: 'of-the-key' }))
    assert.equal(await new GcpConnection({ credentialsFile, env: {} }).projectId(), 'of-the-key')
    assert.equal(await new GcpConnection({ credentialsFile, projectId: 'named', env: {} }).projectId(), 'named')
  })

  it('sends no real credentials in the clear', async () => {
    const connection = new GcpConnection({ projectId: 'p', env: {} })
    assert.equal(await connection.accessToken('http://127.0.0.1:8080'), 'emulator')
  })

  it('reaches each API where the environment says', () => {
    const env = { CLOUD_TASKS_GCP_COMPUTE_URL: 'https://compute.private.example/ ' }
    const address = (api: GcpApi) => gcpAddress({ env }, api)
    assert.equal(address('COMPUTE'), 'https://compute.private.example')
    assert.equal(address('BILLING'), 'https://cloudbilling.googleapis.com')
  })
})

/** What a process of its own finds: the SDK looks at its environment, and at the user's home. */
async function tell(
  context: TestContext,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly token?: string; readonly projectId?: string }> {
  const home = mkdtempSync(join(tmpdir(), 'cloud-tasks-home-'))
  context.after(() => rmSync(home, { recursive: true }))
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [PROGRAM], {
    env: { PATH: '/usr/bin:/bin', HOME: home, ...env },
  })
  assert.equal(stderr, '')
  return JSON.parse(stdout)
}
