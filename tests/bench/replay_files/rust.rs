//! A tokenizer and an evaluator for arithmetic, with variables.

use std::collections::HashMap;
use std::fmt;

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Number(f64),
    Name(String),
    Operator(char),
    Open,
    Close,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CalcError {
    UnexpectedCharacter { found: char, at: usize },
    UnexpectedEnd,
    UnexpectedToken(Token),
    UnknownName(String),
    DivisionByZero,
}

impl fmt::Display for CalcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CalcError::UnexpectedCharacter { found, at } => {
                write!(f, "unexpected character {found:?} at {at}")
            }
            CalcError::UnexpectedEnd => write!(f, "the expression ends too early"),
            CalcError::UnexpectedToken(token) => write!(f, "unexpected {token:?}"),
            CalcError::UnknownName(name) => write!(f, "there is no variable {name}"),
            CalcError::DivisionByZero => write!(f, "division by zero"),
        }
    }
}

impl std::error::Error for CalcError {}

pub fn tokenize(source: &str) -> Result<Vec<Token>, CalcError> {
    let mut tokens = Vec::new();
    let mut chars = source.char_indices().peekable();
    while let Some(&(at, char)) = chars.peek() {
        match char {
            ' ' | '\t' | '\n' => {
                chars.next();
            }
            '0'..='9' | '.' => {
                let mut digits = String::new();
                while let Some(&(_, digit)) = chars.peek() {
                    if !digit.is_ascii_digit() && digit != '.' {
                        break;
                    }
                    digits.push(digit);
                    chars.next();
                }
                let number = digits
                    .parse()
                    .map_err(|_| CalcError::UnexpectedCharacter { found: char, at })?;
                tokens.push(Token::Number(number));
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let mut name = String::new();
                while let Some(&(_, letter)) = chars.peek() {
                    if !letter.is_ascii_alphanumeric() && letter != '_' {
                        break;
                    }
                    name.push(letter);
                    chars.next();
                }
                tokens.push(Token::Name(name));
            }
            '+' | '-' | '*' | '/' => {
                tokens.push(Token::Operator(char));
                chars.next();
            }
            '(' => {
                tokens.push(Token::Open);
                chars.next();
            }
            ')' => {
                tokens.push(Token::Close);
                chars.next();
            }
            _ => return Err(CalcError::UnexpectedCharacter { found: char, at }),
        }
    }
    Ok(tokens)
}

pub struct Evaluator<'a> {
    tokens: &'a [Token],
    position: usize,
    variables: &'a HashMap<String, f64>,
}

impl<'a> Evaluator<'a> {
    pub fn new(tokens: &'a [Token], variables: &'a HashMap<String, f64>) -> Self {
        Evaluator { tokens, position: 0, variables }
    }

    pub fn evaluate(mut self) -> Result<f64, CalcError> {
        let value = self.sum()?;
        match self.peek() {
            None => Ok(value),
            Some(token) => Err(CalcError::UnexpectedToken(token.clone())),
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.position)
    }

    fn sum(&mut self) -> Result<f64, CalcError> {
        let mut value = self.product()?;
        while let Some(Token::Operator(operator @ ('+' | '-'))) = self.peek() {
            let operator = *operator;
            self.position += 1;
            let right = self.product()?;
            value = if operator == '+' { value + right } else { value - right };
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<f64, CalcError> {
        let mut value = self.atom()?;
        while let Some(Token::Operator(operator @ ('*' | '/'))) = self.peek() {
            let operator = *operator;
            self.position += 1;
            let right = self.atom()?;
            if operator == '/' && right == 0.0 {
                return Err(CalcError::DivisionByZero);
            }
            value = if operator == '*' { value * right } else { value / right };
        }
        Ok(value)
    }

    fn atom(&mut self) -> Result<f64, CalcError> {
        let token = self.peek().cloned().ok_or(CalcError::UnexpectedEnd)?;
        self.position += 1;
        match token {
            Token::Number(number) => Ok(number),
            Token::Name(name) => match self.variables.get(&name) {
                Some(value) => Ok(*value),
                None => Err(CalcError::UnknownName(name)),
            },
            Token::Operator('-') => Ok(-self.atom()?),
            Token::Open => {
                let value = self.sum()?;
                match self.peek() {
                    Some(Token::Close) => {
                        self.position += 1;
                        Ok(value)
                    }
                    Some(other) => Err(CalcError::UnexpectedToken(other.clone())),
                    None => Err(CalcError::UnexpectedEnd),
                }
            }
            other => Err(CalcError::UnexpectedToken(other)),
        }
    }
}
