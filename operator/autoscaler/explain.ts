import type { ConditionText } from '../runtime/conditions.ts'
import type { Decision, ScalingReason } from './decide.ts'

const words: Readonly<Record<ScalingReason, string>> = {
  Suspended: 'the channel is suspended',
  LagUnreadable: 'the lag cannot be read; nothing is changed',
  Fallback: 'the lag has not been readable for long; the fallback holds',
  ProviderPaused: 'no provider takes messages; more workers would not help',
  Idle: 'nothing has been due for long; the channel sleeps',
  Woken: 'there is something to deliver again',
  OutOfBounds: 'brought within minReplicas, maxReplicas and the partitions',
  ScaledUp: 'what is due and what arrives needs more workers',
  ScaledDown: 'fewer workers have been enough for a while',
  CoolingDown: 'the last change has yet to show its effect',
  HotPartition: 'one partition holds all that is due, and one worker has it',
  Stabilizing: 'fewer workers might do; the last five minutes count',
  AtMaximum: 'no more workers are allowed, or would have a partition',
  Steady: 'these workers are enough',
}

/** Why a decision is as it is, in words that complete a sentence. */
export function explain(reason: ScalingReason): string {
  return words[reason]
}

/** What a decision says in the condition `ScalingActive`: false only where the autoscaler cannot do its work. */
export function scalingCondition({ reason, replicas }: Pick<Decision, 'reason' | 'replicas'>): ConditionText {
  const isBlind = reason === 'LagUnreadable' || reason === 'Fallback'
  return { status: isBlind ? 'False' : 'True', reason, message: `${replicas} wanted: ${explain(reason)}` }
}
