import { relative } from 'node:path'
import type { ChannelType } from '../../core/resources/channel-type.ts'
import { formatManifestProblem, type ManifestProblem } from '../../core/resources/manifest.ts'
import type { Caught } from './mailbox.ts'
import { plain, type Terminal } from './terminal.ts'

/** Says what is wrong with the manifests, with the place to click on. */
export function reportProblems(problems: readonly ManifestProblem[], { line, style }: Terminal): void {
  for (const problem of problems) {
    const file = relative(process.cwd(), problem.file)
    line(`${style('red', 'refused')} ${plain(formatManifestProblem({ ...problem, file }), 300)}`)
  }
  if (problems.length > 0) line(style('dim', 'What was good before goes on.'))
}

const symbols: Record<ChannelType, string> = {
  email: '✉',
  sms: '✆',
  push: '◉',
  slack: '#',
  inapp: '▣',
  webhook: '⇢',
}

/** Says in one line what was caught. */
export function reportCaught(caught: Caught, { line, style }: Terminal): void {
  const { channel, to, title, text } = caught
  const words = title ?? text
  const quoted = words === undefined ? '' : ` "${plain(words, 60)}"`
  line(
    `${style('cyan', `${symbols[channel]} ${channel}`)} to ${plain(to)}${quoted}${verdictOf(caught, style)}`,
  )
}

function verdictOf({ verified, problem }: Caught, style: Terminal['style']): string {
  if (verified === undefined) return ''
  return verified ? style('green', ' signature verified') : style('red', ` ${problem}`)
}
