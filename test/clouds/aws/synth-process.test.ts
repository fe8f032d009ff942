// How the CDK is used inside another program: it says nothing, leaves nothing behind, is quick, and its absence is one sentence.
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { describe, it } from 'node:test'
import { run } from './stack-emulators.ts'
import { withCdk } from './template.ts'

const ROOT = join(import.meta.dirname, '../../..')
const LIMIT_MS = 120_000

withCdk(() => {
  describe('the CDK in this process', { timeout: LIMIT_MS }, () => {
    it('prints nothing, leaves nothing on the disk, and takes less than ten seconds', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-quiet-'))
      try {
        const program = `const { templateOf } = await import(${JSON.stringify(join(import.meta.dirname, 'template.ts'))})
          const startedAt = performance.now()
          const { text } = await templateOf({ run: { max_total_cost: 5 }, aws: { zone: 'us-east-1a' } })
          if (text.length < 10_000) throw new Error(text)
          if (performance.now() - startedAt > 10_000) throw new Error('too slow')`
        const printed = await run(process.execPath, ['--input-type=module', '--eval', program], {
          cwd: folder,
          env: { HOME: folder, TMPDIR: folder, NODE_COMPILE_CACHE: undefined },
        })
        assert.equal(printed, '')
        assert.deepEqual(readdirSync(folder), [])
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    })

    it('says how to install it where it is missing', async () => {
      const clone = mkdtempSync(join(tmpdir(), 'cloud-tasks-clone-'))
      try {
        for (const room of ['core', 'infra']) {
          cpSync(join(ROOT, room), join(clone, room), {
            recursive: true,
            filter: path => !path.split(sep).slice(-3).includes('node_modules'),
          })
        }
        mkdirSync(join(clone, 'node_modules'))
        for (const name of ['zod', 'yaml', 'tar', 'fflate']) {
          symlinkSync(join(ROOT, 'node_modules', name), join(clone, 'node_modules', name))
        }
        assert.match(await askFor(clone), /^UserError: The packages .* run "npm ci --prefix infra\/aws"\.$/m)
        rmSync(join(clone, 'infra/aws/package.json'))
        assert.match(await askFor(clone), /^UserError: The packages .* run "npm install aws-cdk-lib constructs"\.$/m)
      } finally {
        rmSync(clone, { recursive: true, force: true })
      }
    })
  })
})

function askFor(clone: string): Promise<string> {
  const program = `const { loadStackProgram } = await import('./infra/aws/stack-program.ts')
    await loadStackProgram().then(() => console.log('it is there'), error => console.log(String(error)))`
  return run(process.execPath, ['--input-type=module', '--eval', program], { cwd: clone, env: {} })
}
