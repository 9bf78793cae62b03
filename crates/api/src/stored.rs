//! Messages that were stored as they are sent, and go out without being taken apart and put together again.

use prost::bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType};
use prost::{DecodeError, Message, Name};

use crate::config::v1::Employee;

/// A message, or its bytes as they were stored. On the wire there is no difference, and what is received is a message.
#[derive(Clone, Debug)]
pub enum Stored<M> {
    Encoded(Vec<u8>),
    Decoded(M),
}

impl<M: Message + Default> Stored<M> {
    /// The message. An error is of stored bytes that are none.
    pub fn into_inner(self) -> Result<M, DecodeError> {
        match self {
            Self::Encoded(bytes) => M::decode(&*bytes),
            Self::Decoded(message) => Ok(message),
        }
    }
}

impl<M: Message + Default> PartialEq for Stored<M> {
    fn eq(&self, other: &Self) -> bool {
        self.encode_to_vec() == other.encode_to_vec()
    }
}

impl<M: Default> Default for Stored<M> {
    fn default() -> Self {
        Self::Decoded(M::default())
    }
}

impl<M: Message + Default> Message for Stored<M> {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        match self {
            Self::Encoded(bytes) => buffer.put_slice(bytes),
            Self::Decoded(message) => message.encode_raw(buffer),
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        match self {
            Self::Encoded(bytes) => {
                let mut message = M::decode(&**bytes)?;
                message.merge_field(tag, wire_type, buffer, context)?;
                *self = Self::Decoded(message);
                Ok(())
            }
            Self::Decoded(message) => message.merge_field(tag, wire_type, buffer, context),
        }
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Encoded(bytes) => bytes.len(),
            Self::Decoded(message) => message.encoded_len(),
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// `hes.config.v1.ListEmployeesResponse`.
#[derive(Clone, PartialEq, Message)]
pub struct ListEmployeesResponse {
    /// By name.
    #[prost(message, repeated, tag = "1")]
    pub employees: Vec<Stored<Employee>>,
    /// Empty on the last page.
    #[prost(string, tag = "2")]
    pub next_page_token: String,
}

impl ListEmployeesResponse {
    /// The employees of the page.
    pub fn into_employees(self) -> Result<Vec<Employee>, DecodeError> {
        self.employees.into_iter().map(Stored::into_inner).collect()
    }
}

impl Name for ListEmployeesResponse {
    const NAME: &'static str = "ListEmployeesResponse";
    const PACKAGE: &'static str = "hes.config.v1";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor_pool;

    fn ada() -> Employee {
        Employee {
            name: "employees/1".to_owned(),
            display_name: "Ada".to_owned(),
            generation: 7,
            ..Employee::default()
        }
    }

    fn page(employee: Stored<Employee>) -> ListEmployeesResponse {
        ListEmployeesResponse {
            employees: vec![employee],
            next_page_token: "more".to_owned(),
        }
    }

    #[test]
    fn what_was_stored_is_received_as_the_message_it_was() {
        let stored = page(Stored::Encoded(ada().encode_to_vec()));

        let sent = stored.encode_to_vec();
        assert_eq!(sent, page(Stored::Decoded(ada())).encode_to_vec());
        assert_eq!(sent.len(), stored.encoded_len());
        let received = ListEmployeesResponse::decode(&*sent).unwrap();
        assert!(matches!(received.employees[..], [Stored::Decoded(_)]));
        assert_eq!(received.next_page_token, "more");
        assert_eq!(received.into_employees().unwrap(), [ada()]);
    }

    #[test]
    fn what_was_stored_wrongly_is_an_error() {
        assert!(page(Stored::Encoded(vec![0xff])).into_employees().is_err());
    }

    /// It is written by hand, where all the others are generated.
    #[test]
    fn the_page_has_the_fields_of_its_descriptor() {
        let name = ListEmployeesResponse::full_name();
        let message = descriptor_pool().get_message_by_name(&name).unwrap();

        let fields: Vec<_> = message
            .fields()
            .map(|field| {
                let kind = field.kind();
                let of = kind
                    .as_message()
                    .map_or_else(|| format!("{kind:?}"), |of| of.full_name().to_owned());
                (field.number(), field.name().to_owned(), of, field.is_list())
            })
            .collect();
        assert_eq!(
            fields,
            [
                (1, "employees".into(), Employee::full_name(), true),
                (2, "next_page_token".into(), "string".into(), false),
            ]
        );
    }
}
