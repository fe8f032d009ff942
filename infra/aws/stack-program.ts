// Loads the CDK program that makes a job's template, when a stack is asked for. The CDK's packages weigh more than all others
// together, so they are installed only by those who deploy to AWS.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { codeOf, messageOf, UserError } from '../../core/errors.ts'
import type { JobConfig } from '../../core/job-config.ts'
import type { StackSpec } from '../stack.ts'
import type { StoredPrograms } from './programs.ts'

export interface StackProgram {
  /** The template as JSON. Prints nothing and leaves nothing on the disk. */
  synthesise(inputs: SynthInputs): string
}

export interface SynthInputs {
  readonly jobId: string
  readonly stackName: string
  readonly region: string
  readonly config: JobConfig
  readonly manager: StackSpec['manager']
  readonly programs: StoredPrograms
  readonly image?: string | undefined
  readonly rootDeviceName?: string | undefined
  /** Of the subnets that the job names. */
  readonly vpcId?: string | undefined
}

// Not a literal: the program is compiled apart, where the packages are.
const PROGRAM: string = './cdk/synth.ts'

export async function loadStackProgram(): Promise<StackProgram> {
  try {
    const program: StackProgram = await import(PROGRAM)
    return program
  } catch (cause) {
    if (codeOf(cause) !== 'ERR_MODULE_NOT_FOUND' || !/aws-cdk-lib|constructs/.test(messageOf(cause))) throw cause
    throw new UserError(`The packages of the AWS CDK are not installed: run "${installation()}".`, { cause })
  }
}

function installation(): string {
  const clone = existsSync(join(fileURLToPath(new URL('.', import.meta.url)), 'package.json'))
  return clone ? 'npm ci --prefix infra/aws' : 'npm install aws-cdk-lib constructs'
}
