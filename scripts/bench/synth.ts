// How long the infrastructure of a job takes to be worked out, before any cloud is asked.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './compiled.ts'
import type { Context } from './context.ts'
import { alternate } from './measure.ts'
import { runProgram } from './program.ts'
import type { Row } from './row.ts'

const PROGRAM = join(import.meta.dirname, 'programs', 'synth.ts')
const TIMEOUT_MS = 120_000
const TARGET_SECONDS = 10
const REPEATS = 3

export async function measureSynth({ say }: Context): Promise<readonly Row[]> {
  const what = 'AWS: agent packed, template made by the CDK'
  if (!existsSync(join(ROOT, 'infra/aws/node_modules/aws-cdk-lib'))) {
    return [{ what, unit: 's', ours: undefined, note: 'needs npm ci --prefix infra/aws' }]
  }
  say('the template of a job on AWS')
  const { synth } = await alternate({ synth: synthSeconds }, { repeats: REPEATS })
  return [{ what, unit: 's', ours: synth, target: { below: TARGET_SECONDS } }]
}

async function synthSeconds(): Promise<number> {
  const startedAt = performance.now()
  await runProgram([PROGRAM], { timeoutMs: TIMEOUT_MS })
  return (performance.now() - startedAt) / 1000
}
