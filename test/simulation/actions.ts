import type { Action } from './actions/action.ts';
import { agentActions } from './actions/agents.ts';
import { operatorActions } from './actions/operator.ts';
import { readingActions } from './actions/reading.ts';
import { scheduleActions } from './actions/schedules.ts';
import { taskActions } from './actions/tasks.ts';
import { templateActions } from './actions/templates.ts';
import { workflowActions } from './actions/workflows.ts';

/** What customers do, and who runs the deployment. A new verb of the API is one more entry in one of these. */
export const actions: readonly Action[] = [
  ...taskActions,
  ...agentActions,
  ...templateActions,
  ...scheduleActions,
  ...workflowActions,
  ...operatorActions,
  ...readingActions,
];
