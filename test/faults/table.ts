import type { FaultResult } from './fault.ts'

/** The results as a table in Markdown; a fault that was caused several times has one line, with the sums. */
export function tableOf(results: readonly FaultResult[]): string {
  const rows = [...Map.groupBy(results, ({ fault }) => fault)].map(([fault, runs]) => [
    fault.name,
    fault.guarantees.join(' '),
    String(runs.length),
    String(Math.min(...runs.map(({ inFlight }) => inFlight))),
    sum(runs, ({ balance }) => balance.accepted),
    sum(runs, ({ balance }) => balance.receipts - duplicatesOf(balance)),
    sum(runs, ({ balance }) => balance.lost.length + balance.unplanned.length + balance.unfinished.length),
    sum(runs, ({ balance }) => duplicatesOf(balance)),
    sum(runs, ({ balance }) => balance.unexplained.length + balance.stray.length),
    Math.max(...runs.map(({ seconds }) => seconds)).toFixed(0),
  ])
  return [header, header.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |\n`).join('')
}

const header = [
  'fault',
  'tries most',
  'times',
  'in flight, least',
  'accepted',
  'delivered',
  'lost',
  'came twice, explained',
  'unexplained',
  'seconds to the last outcome, most',
]

function sum(runs: readonly FaultResult[], of: (result: FaultResult) => number): string {
  return String(runs.reduce((total, run) => total + of(run), 0))
}

/** Receipts beyond the first of each message. */
function duplicatesOf({ explained, unexplained }: FaultResult['balance']): number {
  return [...explained, ...unexplained].reduce((total, { receipts }) => total + receipts - 1, 0)
}
