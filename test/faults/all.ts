import type { Fault } from './fault.ts'
import { partFaults } from './part-faults.ts'
import { processFaults } from './process-faults.ts'
import { providerFaults } from './provider-faults.ts'
import { recordFaults } from './record-faults.ts'

/** Every fault. @param downSeconds how long the provider is down in the one where it is */
export const allFaults = (downSeconds: number): Fault[] => [
  ...processFaults,
  ...partFaults,
  ...providerFaults(downSeconds),
  ...recordFaults,
]
