import { testEveryCall } from './workflow-crash.ts';

testEveryCall('before', 22);
