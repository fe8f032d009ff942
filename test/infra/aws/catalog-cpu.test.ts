import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cpuFamilyOf } from '../../../infra/aws/catalog-cpu.ts'
import { cpuRankOf } from '../../../infra/cpu-rank.ts'

describe('the processor of an EC2 instance type', () => {
  for (const [types, cpuFamily, rank] of [
    ['a1.large', 'AWS Graviton', 9],
    ['t4g.nano m6gd.large x2gd.large im4gn.large g5g.xlarge', 'AWS Graviton2', 18],
    ['c7g.large r7gd.metal', 'AWS Graviton3', 19],
    ['c7gn.large hpc7g.16xlarge', 'AWS Graviton3E', 20],
    ['m8g.large i8ge.large x8g.large', 'AWS Graviton4', 23],
    ['m5a.large t3a.nano', 'AMD Naples', 10],
    ['c5a.large g5.xlarge g4ad.xlarge', 'AMD Rome', 13],
    ['m6a.large hpc6a.48xlarge g6.xlarge p5.48xlarge', 'AMD Milan', 17],
    ['c7a.large hpc7a.96xlarge', 'AMD Genoa', 22],
    ['m8a.large', 'AMD Turin', 26],
    ['t3.micro c5n.large z1d.large', 'Intel Skylake', 11],
    ['m5.large c5d.large r5.large g4dn.xlarge p4d.24xlarge', 'Intel Cascade Lake', 12],
    ['m6i.large c6in.large i4i.large hpc6id.32xlarge', 'Intel Ice Lake', 16],
    ['m7i.large c7i-flex.large r7iz.large u7i-12tb.224xlarge', 'Intel Sapphire Rapids', 21],
    ['i7ie.large', 'Intel Emerald Rapids', 25],
    ['m4.large i3.large', 'Intel Broadwell', 7],
  ] as const) {
    it(`is ${cpuFamily} for ${types}`, () => {
      for (const type of types.split(' ')) assert.equal(cpuFamilyOf(type), cpuFamily, type)
      assert.equal(cpuRankOf(cpuFamily), rank)
    })
  }

  it('is no more than its maker for what is newer than the table', () => {
    assert.equal(cpuFamilyOf('m20i.large', 'Intel'), 'Intel')
    assert.equal(cpuFamilyOf('m20g.large', 'AWS'), 'AWS Graviton')
    assert.equal(cpuFamilyOf('m20a.large', 'AMD'), undefined)
    assert.equal(cpuFamilyOf('p20.large', 'Intel'), 'Intel') // the generation is that of the accelerator
    assert.deepEqual([cpuRankOf(undefined), cpuRankOf('Zilog Z80')], [0, 0])
  })
})
