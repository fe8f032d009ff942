// What a stack asks AWS before its template is made: the image that a name means, the network that subnets are in.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DescribeImagesCommand, DescribeSubnetsCommand, EC2Client } from '@aws-sdk/client-ec2'
import type { SectionValues } from '../../../core/config-keys.ts'
import type { JobFile } from '../../../core/job-file.ts'
import { awsClientConfig } from '../../../infra/aws/connection.ts'
import { lookUp } from '../../../infra/aws/stack-lookups.ts'
import type { ProviderSettings } from '../../../infra/open-provider.ts'
import { jobConfigWith } from '../../support/job-config.ts'
import { type Moto, startMoto } from '../../support/moto.ts'
import { withTools } from '../../support/test-tools.ts'
import { emulatorSettings, REGION } from './stack-emulators.ts'

const LIMIT_MS = 120_000

withTools(() => {
  describe('what a stack looks up', { timeout: LIMIT_MS }, () => {
    let moto: Moto
    let settings: ProviderSettings
    let ec2: EC2Client
    before(async () => {
      moto = await startMoto()
      settings = emulatorSettings(moto.endpoint)
      ec2 = new EC2Client(awsClientConfig(settings, 'EC2'))
    })
    after(async () => {
      ec2.destroy()
      await moto.close()
    })

    const look = (run: JobFile['run'], aws: SectionValues = {}) =>
      lookUp(settings, REGION, jobConfigWith({ provider: 'aws', run: run ?? {}, aws: { job_id: 'my-job', ...aws } }))

    it('finds an image by its name or id, with the name of its boot disk', async () => {
      const { Images = [] } = await ec2.send(new DescribeImagesCommand({ Owners: ['099720109477'] }))
      const image = Images.find(({ Architecture, Name }) => Architecture === 'x86_64' && Name !== undefined)
      assert.ok(image?.Name !== undefined && image.ImageId !== undefined && image.RootDeviceName !== undefined)
      const found = { image: image.ImageId, rootDeviceName: image.RootDeviceName, vpcId: undefined }
      assert.deepEqual(await look({ image: image.Name }), found)
      assert.deepEqual(await look({ image: image.ImageId }), found)
      await assert.rejects(
        look({ image: image.Name, architecture: 'arm64' }),
        /^UserError: Image ".+" is for x86_64, but the job's architecture is arm64: change one of them\.$/,
      )
      for (const unknown of ['no-such-image', 'ami-0123456789abcdef0']) {
        await assert.rejects(look({ image: unknown }), /^UserError: There is no image ".+" in us-east-1: see/)
      }
    })

    it('asks for nothing that the job leaves to its stack, or to SSM', async () => {
      const nowhere = emulatorSettings('http://127.0.0.1:1')
      for (const run of [{}, { image: '/images/mine' }]) {
        const config = jobConfigWith({ provider: 'aws', run, aws: { job_id: 'my-job' } })
        assert.deepEqual(await lookUp(nowhere, REGION, config), { vpcId: undefined })
      }
    })

    it('finds the network of the subnets that the job names without groups', async () => {
      const { Subnets = [] } = await ec2.send(new DescribeSubnetsCommand({}))
      const subnets = Subnets.flatMap(({ SubnetId }) => SubnetId ?? []).slice(0, 2)
      assert.equal((await look({}, { subnets })).vpcId, Subnets[0]?.VpcId)
      assert.equal((await look({}, { subnets, security_groups: ['sg-1'] })).vpcId, undefined)
      await assert.rejects(look({}, { subnets: ['subnet-0123456789abcdef0'] }), /looking up the image|InvalidSubnetID/i)
    })
  })
})
