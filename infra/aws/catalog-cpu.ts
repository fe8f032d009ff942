// Which processor an instance type has, read from its name: the API tells the manufacturer and no more.
// https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-types.html

/** Families whose generation or letters do not tell. */
const EXCEPTIONS: readonly (readonly [family: RegExp, cpuFamily: string])[] = [
  [/^a1$/, 'AWS Graviton'],
  [/^(t4g|g5g|x2gd|im4gn|is4gen|i4g)$/, 'AWS Graviton2'],
  [/^(c7gn|hpc7g)$/, 'AWS Graviton3E'],
  [/^(m5a|m5ad|r5a|r5ad|t3a)$/, 'AMD Naples'],
  [/^(c5a|c5ad|g4ad|g5)$/, 'AMD Rome'],
  [/^(g6|g6e|g6f|gr6|gr6f|p5|inf2|f2)$/, 'AMD Milan'],
  [/^(m1|m2|c1|t1|cc1|cg1|cr1|hi1)$/, 'Intel'],
  [/^(cc2|hs1|g2)$/, 'Intel Sandy Bridge'],
  [/^(m3|c3|r3|i2)$/, 'Intel Ivy Bridge'],
  [/^(c4|d2|t2|x1|x1e)$/, 'Intel Haswell'],
  [/^(m4|r4|i3|h1|f1|g3|g3s|p2|p3)$/, 'Intel Broadwell'],
  [/^(t3|c5n|m5n|m5dn|r5n|r5dn|r5b|i3en|z1d|p3dn)$/, 'Intel Skylake'],
  [/^(m5zn|x2iezn|d3|d3en|g4dn|p4d|p4de|dl1|dl2q|inf1|vt1)$/, 'Intel Cascade Lake'],
  [/^(i4i|trn1|trn1n|x2idn|x2iedn)$/, 'Intel Ice Lake'],
  [/^(p5e|p5en|trn2|trn2u|u7i.*|u7in.*|u7ib.*)$/, 'Intel Sapphire Rapids'],
  [/^(i7i|i7ie|g7e|p6-b200)$/, 'Intel Emerald Rapids'],
  [/^u-/, 'Intel Skylake'],
]

/** Their generation is that of the accelerator. */
const ACCELERATED = /^(p|g|gr|f|dl|vt|inf|trn)$/

const GRAVITON: Readonly<Record<number, string>> = {
  6: 'AWS Graviton2',
  7: 'AWS Graviton3',
  8: 'AWS Graviton4',
  9: 'AWS Graviton5',
}
const AMD: Readonly<Record<number, string>> = { 6: 'AMD Milan', 7: 'AMD Genoa', 8: 'AMD Turin' }
const INTEL: Readonly<Record<number, string>> = {
  5: 'Intel Cascade Lake', // some c5, m5 and r5 still are Skylake
  6: 'Intel Ice Lake',
  7: 'Intel Sapphire Rapids',
  8: 'Intel Granite Rapids',
}

/** `manufacturer` as DescribeInstanceTypes says it, for families newer than this table. */
export function cpuFamilyOf(instanceType: string, manufacturer?: string): string | undefined {
  const family = instanceType.split('.', 1)[0] ?? ''
  const exception = EXCEPTIONS.find(([pattern]) => pattern.test(family))
  if (exception !== undefined) return exception[1]
  const [, series = '', generation = '', attributes = ''] = /^([a-z]+)(\d+)([a-z]*)/.exec(family) ?? []
  const maker = makerOf(attributes, manufacturer)
  if (ACCELERATED.test(series)) return maker === 'intel' ? 'Intel' : undefined
  const table = maker === 'aws' ? GRAVITON : maker === 'amd' ? AMD : maker === 'intel' ? INTEL : {}
  return table[Number(generation)] ?? (maker === 'intel' ? 'Intel' : maker === 'aws' ? 'AWS Graviton' : undefined)
}

function makerOf(attributes: string, manufacturer: string | undefined): 'aws' | 'amd' | 'intel' | undefined {
  if (manufacturer === undefined) return attributes.includes('g') ? 'aws' : attributes.includes('a') ? 'amd' : 'intel'
  if (/^(AWS|Amazon)/i.test(manufacturer)) return 'aws'
  if (/^AMD/i.test(manufacturer)) return 'amd'
  return /^Intel/i.test(manufacturer) ? 'intel' : undefined
}
