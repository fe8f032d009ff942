// A program for a pretended EC2 VM: powers it off from inside.
import { AwsInstance } from '../../../infra/aws/instance.ts'

await new AwsInstance({ env: process.env }).powerOff()
