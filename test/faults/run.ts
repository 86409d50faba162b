/**
 * `make faults`: every fault of test/faults in the middle of a load, once for each seed, and a table of what became of it. The exit code is 1 when
 * anything was lost or came twice without an explanation.
 * ARGS: `--seeds 3` how many, `--seed 17` the first one, `--only worker` faults whose name has the word (may be repeated), `--messages 10` to each
 * of 120 recipients, `--write` puts the table into docs/reliability.md.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeBalance } from '../harness/balance/balance.ts'
import { allFaults } from './all.ts'
import { type FaultResult, runFault } from './fault.ts'
import { requireParts } from './require-parts.ts'
import { tableOf } from './table.ts'
import { startWorld } from './world.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '3' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string', multiple: true, default: [] },
    messages: { type: 'string', default: '10' },
    write: { type: 'boolean', default: false },
  },
})
const page = join(import.meta.dirname, '../../docs/reliability.md')
const downSeconds = 60

const faults = allFaults(downSeconds).filter(
  ({ name }) => values.only.length === 0 || values.only.some((word) => name.includes(word)),
)
const results: FaultResult[] = []
let failed = 0
const world = await startWorld(requireParts())
try {
  for (let index = 0; index < Number(values.seeds); index++) {
    const seed = Number(values.seed) + index
    process.stdout.write(`seed ${seed}: make faults ARGS="--seed ${seed} --seeds 1"\n`)
    for (const fault of faults) {
      process.stdout.write(`  ${fault.name} ... `)
      const result = await runFault(world, fault, { seed, messages: Number(values.messages) })
      results.push(result)
      const { inFlight, balance, seconds, problems } = result
      process.stdout.write(
        `${inFlight} in flight, ${seconds.toFixed(1)} s; ${describeBalance(balance)}\n${problems.map((problem) => `    FAILED: ${problem}\n`).join('')}`,
      )
      if (problems.length === 0) continue
      failed += 1
      process.stdout.write(`${world.complaints()}\n`)
    }
  }
} catch (error) {
  process.stdout.write(`\n${world.complaints()}\n`)
  throw error
} finally {
  await world.stop()
}
const table = tableOf(results)
process.stdout.write(`\n${table}\n${results.length - failed} passed, ${failed} failed\n`)
if (values.write && failed === 0) await writeTable(table)
process.exit(failed === 0 && results.length > 0 ? 0 : 1)

async function writeTable(text: string): Promise<void> {
  const marks = /(<!-- make faults -->\n)[^]*?(<!-- end -->)/
  const before = await readFile(page, 'utf8')
  if (!marks.test(before)) throw new Error('docs/reliability.md has no place for the table')
  await writeFile(page, before.replace(marks, `$1\n${text}\n$2`))
}
