import { BrokerError } from '../core/broker/broker.ts'
import { openKafkaBroker } from '../core/broker/kafka.ts'
import { carryOut, planApply } from '../core/catalog/apply.ts'
import { kinds } from '../core/catalog/kinds.ts'
import { readCatalog } from '../core/catalog/reader.ts'
import { systemClock } from '../core/clock.ts'
import { catalogTopic } from '../core/notification/topics.ts'
import { createLogger } from '../core/observability/logger.ts'
import type { NotificationTemplate } from '../core/resources/template.ts'
import { claimPrefix, inspectPrefix } from '../core/ownership/claim-prefix.ts'
import { readInstallKey } from '../core/settings/install-key.ts'
import { kafkaConnection } from '../core/settings/kafka.ts'
import type { applySettings } from '../core/settings/roles.ts'
import type { Settings } from '../core/settings/setting.ts'
import { StartRefused } from '../core/settings/start-refused.ts'
import { TemplateThreads } from '../core/template/threads/template-threads.ts'
import { readManifests } from './manifests.ts'

/**
 * `carillon apply`: brings topics and catalog to what a folder of manifests says, and prints a line for each resource. Throws StartRefused
 * with the place of every problem, having changed nothing, or with what Kafka refused.
 */
export async function apply(settings: Settings<typeof applySettings>): Promise<void> {
  const { topicPrefix: prefix, topicReplicas: replicas, dryRun } = settings
  const files = await readManifests(settings.manifestsToApply)
  const { installId } = readInstallKey(settings.installKeyFile)
  // Standard output is for the lines of the result.
  const logger = createLogger({ level: settings.logLevel, destination: process.stderr })
  const broker = openKafkaBroker({ ...kafkaConnection(settings), clientId: 'carillon-apply', logger })
  const templates = new TemplateThreads({ logger })
  const checkTemplate = (template: NotificationTemplate) => templates.check(template)
  try {
    const install = { id: `key-${installId}`, name: 'one of separate processes' }
    const claim = { prefix, install, takeOverFrom: settings.takeOverFrom }
    const { marks, refusal } = await inspectPrefix(claim, { broker, logger })
    if (refusal !== undefined) throw new StartRefused(`nothing is applied\n${refusal}`)
    const published = await readCatalog({ broker, topic: catalogTopic(prefix), logger })
    const planned = await planApply({
      files,
      published,
      marks,
      admin: broker.admin,
      kinds,
      checkTemplate,
      prefix,
      replicas,
      now: systemClock.now(),
    })
    if (planned.kind === 'refused') {
      throw new StartRefused(['nothing is applied', ...planned.problems].join('\n'))
    }
    if (!dryRun) {
      const { signal } = new AbortController()
      const parts = { broker, logger, beforeWrite: () => {} }
      const ownership = await claimPrefix({ ...claim, replicas }, parts, signal)
      await carryOut(planned.plan, { broker, ownership, published, prefix }, signal)
      await ownership.close()
    }
    for (const line of planned.plan.lines) process.stdout.write(`${line}${dryRun ? ' (dry run)' : ''}\n`)
  } catch (error) {
    throw error instanceof BrokerError ? new StartRefused(error.message, 1, { cause: error }) : error
  } finally {
    await templates.close()
    await broker.close()
  }
}
