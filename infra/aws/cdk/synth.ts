// The stack of one job as the text of a CloudFormation template, without an app on disk, a bootstrap or a word printed.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, BootstraplessSynthesizer, Stack } from 'aws-cdk-lib'
import { Vpc } from 'aws-cdk-lib/aws-ec2'
import type { StackProgram, SynthInputs } from '../stack-program.ts'
import { SpotTaskPool } from './spot-task-pool.ts'

/** Of the construct within the stack. Changing it would make every resource of a deployed job anew. */
const POOL_ID = 'Pool'

export const synthesise: StackProgram['synthesise'] = inputs => {
  const folder = mkdtempSync(join(tmpdir(), 'cloud-tasks-synth-'))
  try {
    const { stackName } = inputs
    const app = new App({
      outdir: folder,
      analyticsReporting: false,
      treeMetadata: false,
      builtinCloudFormationValidation: false, // it prints, and finds fault with a zone that the job names
      context: CONTEXT,
    })
    const stack = new Stack(app, stackName, {
      stackName,
      env: { region: inputs.region },
      synthesizer: new BootstraplessSynthesizer(),
      description: `Cloud Tasks job ${inputs.jobId}`,
    })
    makePool(stack, inputs)
    const { templateFullPath } = app.synth().getStackByName(stackName)
    // Without the white space: CloudFormation takes 51,200 bytes.
    return JSON.stringify(JSON.parse(readFileSync(templateFullPath, 'utf8')))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const CONTEXT = { '@aws-cdk/core:enablePartitionLiterals': true, '@aws-cdk/aws-iam:minimizePolicies': true }

function makePool(stack: Stack, { config, manager, programs, image, rootDeviceName, vpcId }: SynthInputs): void {
  // Nobody asks it for its zones, but it insists on having one.
  const attributes = vpcId && { vpcId, availabilityZones: [`${stack.region}a`] }
  const vpc = attributes ? Vpc.fromVpcAttributes(stack, 'Vpc', attributes) : undefined
  new SpotTaskPool(stack, POOL_ID, {
    config,
    manager,
    programs,
    ...(vpc && { vpc }),
    ...(image !== undefined && { image }),
    ...(rootDeviceName !== undefined && { rootDeviceName }),
  })
}
