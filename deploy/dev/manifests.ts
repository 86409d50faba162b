import { BrokerError } from '../../core/broker/broker.ts'
import type { Broker } from '../../core/broker/broker.ts'
import { channelTopicSpecs } from '../../core/broker/topic-specs.ts'
import { openFolder } from '../../core/catalog/folder.ts'
import { kinds } from '../../core/catalog/kinds.ts'
import type { OpenCatalog } from '../../core/catalog/reader.ts'
import type { Resource } from '../../core/catalog/records.ts'
import { catalogTopic } from '../../core/notification/topics.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { Started } from '../../core/process/started.ts'
import { StartRefused } from '../../core/settings/start-refused.ts'
import type { TemplateThreads } from '../../core/template/threads/template-threads.ts'
import { FolderPublisher, withLastGood } from './folder-publisher.ts'
import { type MailServer, routeMail } from './mail-route.ts'
import { problemReport } from './terminal/report.ts'
import type { Terminal } from './terminal/terminal.ts'

export interface FollowManifestsOptions {
  directory: string
  /** Prefix of the topics. */
  prefix: string
  broker: Broker
  catalog: OpenCatalog
  templates: Pick<TemplateThreads, 'check'>
  mail: MailServer
  terminal: Terminal
  logger: Logger
  started: Started
}

/** Serves what the folder of manifests holds, and follows its edits. Resolves when its first content is published; throws StartRefused. */
export async function followManifests(options: FollowManifestsOptions): Promise<void> {
  const { prefix, broker, catalog, templates, mail, terminal, logger, started } = options
  const publisher = new FolderPublisher({
    producer: broker.producer,
    catalog,
    topic: catalogTopic(prefix),
    prepare: (resources) => createTopics(resources, options),
    logger: logger.child({ component: 'catalog' }),
  })
  started.add('publisher', () => publisher.stop())
  const published = Promise.withResolvers<void>()
  const reportProblems = problemReport(terminal)
  const folder = await openFolder({
    directory: options.directory,
    kinds,
    checkTemplate: (template) => templates.check(template),
    prefix,
    logger: logger.child({ component: 'folder' }),
    onChange({ resources, problems }) {
      reportProblems(problems)
      const wanted = problems.length === 0 ? resources : withLastGood(resources, catalog)
      publisher
        .publish(wanted.map((resource) => routeMail(resource, mail)))
        .then(published.resolve, published.reject)
    },
  }).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException
    const refusal = `CARILLON_MANIFESTS: ${options.directory} cannot be read: ${code}`
    throw code === undefined ? error : new StartRefused(refusal, 1, { cause: error })
  })
  started.add('folder', () => folder.close())
  await published.promise
}

/** Also of suspended channels, which are sent to all the same. One whose topics are refused keeps no other waiting. */
async function createTopics(
  resources: readonly Resource[],
  { prefix, broker, logger }: FollowManifestsOptions,
): Promise<void> {
  for (const resource of resources) {
    if (resource.kind !== 'NotificationChannel') continue
    const { name } = resource.metadata
    await broker.admin.createTopics(channelTopicSpecs(prefix, resource)).catch((error: unknown) => {
      if (!(error instanceof BrokerError && error.code === 'invalid')) throw error
      logger.error({ err: error, channel: name }, 'Topics not made')
    })
  }
}
