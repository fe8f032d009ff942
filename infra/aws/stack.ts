// The stack seam on AWS: what is static of a job is one CloudFormation stack, whose template the CDK makes in this process.
// Loads the SDK, and the CDK, only when a stack is really asked for: agents open this cloud too, without either.
import type { ProviderSettings } from '../open-provider.ts'
import type { Deployment, Stack, StackChange, StackSpec } from '../stack.ts'
import type { StackDeployer } from './stack-deployer.ts'

export class AwsStack implements Stack {
  readonly #settings: ProviderSettings

  constructor(settings: ProviderSettings) {
    this.#settings = settings
  }

  async preview(spec: StackSpec): Promise<readonly StackChange[]> {
    return this.#with(spec, deployer => deployer.preview())
  }

  async up(spec: StackSpec): Promise<Deployment> {
    return this.#with(spec, deployer => deployer.up())
  }

  async down(spec: StackSpec): Promise<void> {
    return this.#with(spec, deployer => deployer.down())
  }

  async #with<Result>(spec: StackSpec, work: (deployer: StackDeployer) => Promise<Result>): Promise<Result> {
    const { StackDeployer } = await import('./stack-deployer.ts')
    const deployer = new StackDeployer(this.#settings, spec)
    try {
      return await work(deployer)
    } finally {
      deployer.close()
    }
  }
}
