-- For counts of employees, which are taken every half minute.
CREATE INDEX employee_by_active ON employee (active);
